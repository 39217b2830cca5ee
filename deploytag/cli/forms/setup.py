"""What `init` and `test` did in an application's repository."""

from typing import Literal

from deploytag.cli.forms.form import Form


class Initialised(Form):
    """What `init` wrote, or with `--dry-run` would write."""

    written: tuple[str, ...]
    kept: tuple[str, ...]
    """Files that were there."""
    next: tuple[str, ...]
    """What a person does now."""


class Tested(Form):
    """How the application's tests went."""

    tests: Literal["passed", "none"]
    """`none`: the settings name none."""
    seconds: float
