"""Names that one run of the tests has for itself: what another left when it was killed is in nobody's way."""

import uuid

RUN = uuid.uuid4().hex[:6]
"""This process's part of the run: no other has it."""


def own(name: str) -> str:
    """The name, of this run alone."""
    return f"{name}-{RUN}"
