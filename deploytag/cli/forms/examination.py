"""What `doctor` found."""

from deploytag.cli.forms.form import Form
from deploytag.delivery.doctor.findings import Level


class Check(Form):
    """One line of `doctor`."""

    check: str
    level: Level
    seen: str
    cure: str | None
    kind: str | None
    """Of a problem: the kind of error a run would end with."""


class Examination(Form):
    """What `doctor` found."""

    exit_code: int
    checks: tuple[Check, ...]
