"""What `destroy --dry-run` finds."""

from deploytag.cli.forms.form import Form
from deploytag.delivery.inventory.document import Thing


class Removable(Thing):
    """One thing that a destroy finds."""

    ours: bool
    """Whether it is provably the environment's. What is not is left alone."""


class WouldRemove(Form):
    """What `destroy --dry-run` finds."""

    ref: str
    would_remove: tuple[Removable, ...]
