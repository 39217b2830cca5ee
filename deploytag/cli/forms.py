"""The forms of what commands print with `--json`, each with its schema: `deploytag schema COMMAND`.

Keys may be added, and none changes its meaning. What a whole run or collection reports is `deploytag.delivery.report`
and `deploytag.delivery.removal.collection`.
"""

from datetime import datetime
from types import MappingProxyType
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter

from deploytag.delivery import fleet
from deploytag.delivery.diagnosis import explain
from deploytag.delivery.diagnosis.cause import CauseKind
from deploytag.delivery.doctor.findings import Level
from deploytag.delivery.isolation import Isolation
from deploytag.delivery.removal.collection import Collection, Thing
from deploytag.delivery.report import Report
from deploytag.identity import Identity


class _Form(BaseModel):
    model_config = ConfigDict(frozen=True, from_attributes=True, use_attribute_docstrings=True)


class DeployPlan(_Form):
    """What `deploy --dry-run` would do."""

    plan: Literal["deploy", "unchanged", "skip"]
    ref: str
    revision: str
    """The commit that is checked out."""
    reason: str


class SyncPlan(_Form):
    """What `sync --dry-run` would do to one environment."""

    plan: Literal["sync", "unchanged", "skip"]
    ref: str
    reason: str


class CiPlan(_Form):
    """What `ci --dry-run` would do."""

    plan: Literal["deploy", "destroy", "gc", "skip"]
    ref: str | None = None
    commit: str | None = None
    """What would be deployed."""
    why: str | None = None
    asked_for: bool = False
    """Of a destroy: whether somebody wants it gone though its branch may be there."""


class Removable(Thing):
    """One thing that a destroy finds."""

    ours: bool
    """Whether it is provably the environment's. What is not is left alone."""


class WouldRemove(_Form):
    """What `destroy --dry-run` finds."""

    ref: str
    would_remove: tuple[Removable, ...]


class Environment(_Form):
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


class Why(_Form):
    """What an environment is, why, and what shows it."""

    ref: str
    namespace: str
    state: explain.State
    cause: CauseKind | None
    """What is broken now."""
    why: str
    evidence: tuple[str, ...]
    what_now: str | None


class Line(_Form):
    """A line of a container's log."""

    pod: str
    container: str
    line: str


class Logs(_Form):
    """The logs of an environment's containers."""

    ref: str
    lines: tuple[Line, ...]
    complaints: tuple[str, ...]
    """Whose log could not be read, and why."""


class Build(_Form):
    """What the last build of an environment's images printed."""

    ref: str
    revision: str | None
    """The commit that was built; None: no build is known."""
    written: datetime | None
    lines: tuple[str, ...]


class Kept(_Form):
    """Until when an environment is kept."""

    ref: str
    keep_until: datetime


class Check(_Form):
    """One line of `doctor`."""

    check: str
    level: Level
    seen: str
    cure: str | None
    kind: str | None
    """Of a problem: the kind of error a run would end with."""


class Examination(_Form):
    """What `doctor` found."""

    exit_code: int
    checks: tuple[Check, ...]


class Initialised(_Form):
    """What `init` wrote, or with `--dry-run` would write."""

    written: tuple[str, ...]
    kept: tuple[str, ...]
    """Files that were there."""
    next: tuple[str, ...]
    """What a person does now."""


class Tested(_Form):
    """How the application's tests went."""

    tests: Literal["passed", "none"]
    """`none`: the settings name none."""
    seconds: float


PRINTED: MappingProxyType[str, Any] = MappingProxyType(
    {
        "deploy": Report | DeployPlan,
        "destroy": Report | WouldRemove,
        "ci": Report | Collection | CiPlan,
        "gc": Collection | Report,
        "ls": list[Environment] | Report,
        "status": EnvironmentInDetail | Report,
        "why": Why | Report,
        "logs": Logs | Build | Report,
        "sleep": Report,
        "wake": Report,
        "sync": Report | list[Report] | SyncPlan | list[SyncPlan],
        "keep": Kept | Report,
        "doctor": Examination | Report,
        "init": Initialised | Report,
        "name": Identity | Report,
        "test": Tested | Report,
    }
)
"""By command. Any of them prints a `Report` when it fails before it has anything else to show."""


def schema(command: str) -> dict[str, Any]:
    """The JSON schema of what a command prints with `--json`."""
    return TypeAdapter(PRINTED[command]).json_schema(mode="serialization")
