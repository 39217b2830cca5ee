"""Asks whether endpoints answer: one TCP or unix connection each, all at once."""

import asyncio
from collections.abc import Sequence

from deploytag.preflight.endpoints import Endpoint

TIMEOUT = 5.0
"""Seconds one connection may take; a silent firewall must not cost minutes."""


async def unreachable(endpoints: Sequence[Endpoint]) -> list[str]:
    """A sentence for each endpoint that does not answer, in the order given."""
    answers = await asyncio.gather(*(_complaint(endpoint) for endpoint in endpoints))
    return [complaint for complaint in answers if complaint is not None]


async def _complaint(endpoint: Endpoint) -> str | None:
    try:
        async with asyncio.timeout(TIMEOUT):
            if endpoint.address.startswith("unix:"):
                _, writer = await asyncio.open_unix_connection(endpoint.address.removeprefix("unix:"))
            else:
                host, _, port = endpoint.address.rpartition(":")
                _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
            writer.close()
            return None
    except TimeoutError:
        why = f"no answer within {TIMEOUT:.0f} s"
    except OSError as error:
        why = error.strerror or str(error)
    return (
        f"{endpoint.service} does not answer at {endpoint.address} ({why}). "
        f"The address comes from {endpoint.configured_by}."
    )
