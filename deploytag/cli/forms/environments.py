"""What `ls`, `status` and `keep` know of environments."""

from datetime import datetime

from deploytag.cli.forms.form import Form
from deploytag.delivery import fleet
from deploytag.delivery.inventory.document import Thing
from deploytag.delivery.isolation import Isolation


class Environment(Form):
    """One environment at a glance."""

    ref: str
    state: fleet.State
    environment_class: str | None
    """The name of its class in the policy."""
    revision: str | None
    """The commit that serves."""
    url: str | None
    access: str | None
    """How its class has it reached."""
    pushed: datetime | None
    expires: datetime | None
    """When it is collected unless somebody pushes; None: never, or nobody knows."""
    last: str | None
    """What the last run did, and how it ended."""
    last_at: datetime | None
    """When it ended; began, if it did not say how it ended."""
    note: str | None
    """The most useful thing to know: who works on it, why it failed, what ails."""


class EnvironmentInDetail(Environment):
    """One environment with everything that belongs to it."""

    items: tuple[Thing, ...]
    isolation: Isolation | None = None
    """What is in force in its namespace; None: it has none."""


class Kept(Form):
    """Until when an environment is kept."""

    ref: str
    keep_until: datetime
