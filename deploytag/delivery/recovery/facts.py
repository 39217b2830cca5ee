"""What was seen of one environment before a run: everything that `decide` decides by."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Self

from deploytag.delivery.recovery.state import ObjectName, State
from deploytag.identity import Identity
from deploytag.ownership import DatabaseFacts


class Status(StrEnum):
    """How Helm says a revision of a release is, as its Secret's label `status` has it."""

    DEPLOYED = "deployed"
    FAILED = "failed"
    PENDING_INSTALL = "pending-install"
    PENDING_ROLLBACK = "pending-rollback"
    PENDING_UPGRADE = "pending-upgrade"
    SUPERSEDED = "superseded"
    UNINSTALLED = "uninstalled"
    UNINSTALLING = "uninstalling"
    UNKNOWN = "unknown"

    @classmethod
    def _missing_(cls, value: object) -> Self:
        return cls("unknown")


@dataclass(frozen=True, slots=True)
class Revision:
    """One revision of the environment's Helm release."""

    version: int
    status: Status


@dataclass(frozen=True, slots=True)
class NamespaceFacts:
    """The namespace of the environment's name."""

    uid: str
    annotations: Mapping[str, str]
    terminating: bool = False


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What the database server has of the environment's names."""

    database: DatabaseFacts
    allows_connections: bool = True
    is_administered: bool = True
    """Whether the administrator may act for the database's owner."""
    is_invalid: bool = False
    """Whether a drop of the database was interrupted, after which it can only be dropped."""


@dataclass(frozen=True, slots=True)
class Facts:
    """One look at one environment."""

    identity: Identity
    state: State = field(default_factory=State)
    """Nothing at all where there is no stack, or it was never deployed."""
    namespace: NamespaceFacts | None = None
    """None: there is none."""
    revisions: tuple[Revision, ...] = ()
    """Of the Helm release, oldest first."""
    objects: tuple[ObjectName, ...] = ()
    """What is in the namespace and carries our labels, or was being made there when an engine was killed."""
    locked_out: bool = False
    """Not everything in the namespace could be seen, as the RoleBinding that allows it is not there."""
    ledger: Mapping[str, str] | None = None
    """What the ledger's entry says, see `said_by_ledger`; None: there is none."""
    server: ServerFacts | None = None
    """None: the class has no database, so the server was not asked."""

    @property
    def whole_revision(self) -> int | None:
        """The release's revision that was last installed or upgraded to without a failure, where Helm still runs it."""
        whole = [revision.version for revision in self.revisions if revision.status is Status.DEPLOYED]
        return whole[-1] if whole else None

    @property
    def was_ever_deployed(self) -> bool:
        """Whether the release was whole at any time."""
        return any(revision.status in {Status.DEPLOYED, Status.SUPERSEDED} for revision in self.revisions)

    def but(self, **changes: object) -> "Facts":
        """The same facts with some of them changed."""
        return replace(self, **changes)  # type: ignore[arg-type]
