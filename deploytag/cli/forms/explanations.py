"""What `why` and `logs` say of one environment."""

from datetime import datetime

from deploytag.cli.forms.form import Form
from deploytag.delivery.diagnosis import explain
from deploytag.delivery.diagnosis.cause import CauseKind


class Why(Form):
    """What an environment is, why, and what shows it."""

    ref: str
    namespace: str
    state: explain.State
    cause: CauseKind | None
    """What is broken now."""
    why: str
    evidence: tuple[str, ...]
    what_now: str | None


class Line(Form):
    """A line of a container's log."""

    pod: str
    container: str
    line: str


class Logs(Form):
    """The logs of an environment's containers."""

    ref: str
    lines: tuple[Line, ...]
    complaints: tuple[str, ...]
    """Whose log could not be read, and why."""


class Build(Form):
    """What the last build of an environment's images printed."""

    ref: str
    revision: str | None
    """The commit that was built; None: no build is known."""
    written: datetime | None
    lines: tuple[str, ...]
