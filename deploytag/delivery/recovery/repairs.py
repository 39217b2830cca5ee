"""Everything recovery can do to an environment, one small value each; `said` is what a person is told afterwards."""

from dataclasses import dataclass
from enum import StrEnum

from deploytag.delivery.recovery.state import ObjectName


class Ours(StrEnum):
    """What of the database Pulumi can take back into its state."""

    LEDGER = "ledger entry"
    ROLE = "role"
    DATABASE = "database"


@dataclass(frozen=True, slots=True)
class AwaitNamespaceGone:
    """Something deleted the namespace, and a new one cannot be made before it is gone."""

    namespace: str

    @property
    def said(self) -> str:
        """The sentence."""
        return f"The namespace {self.namespace} was being deleted; waited until it was gone."


@dataclass(frozen=True, slots=True)
class MakeNamespace:
    """The namespace was removed, and the rights to see that nothing is in it any more went with it."""

    namespace: str

    @property
    def said(self) -> str:
        """The sentence."""
        return f"The namespace {self.namespace} had been removed; it was made anew."


@dataclass(frozen=True, slots=True)
class GiveRights:
    """The RoleBinding that lets the wrapper work in the namespace was removed: nothing in it can be seen or changed."""

    namespace: str

    @property
    def said(self) -> str:
        """The sentence."""
        return f"The RoleBinding that allows work in the namespace {self.namespace} had been removed; it was made anew."


@dataclass(frozen=True, slots=True)
class Administer:
    """Without its membership in the owner, the administrator can neither alter nor drop nor even enter the database."""

    role: str

    @property
    def said(self) -> str:
        """The sentence."""
        return f"The administrator was no member of the role {self.role} any more; it is again."


@dataclass(frozen=True, slots=True)
class AllowConnections:
    """A drop that failed half-way left the database refusing connections."""

    database: str

    @property
    def said(self) -> str:
        """The sentence."""
        return f"The database {self.database} refused connections; it takes them again."


@dataclass(frozen=True, slots=True)
class DropDatabase:
    """A database of ours that has to go: a drop that was interrupted had begun to delete its files, and PostgreSQL
    allows but to end it; or its environment is destroyed, and Pulumi does not know of it."""

    database: str
    why: str

    @property
    def said(self) -> str:
        """The sentence."""
        return f"The database {self.database}, {self.why}, was dropped."


@dataclass(frozen=True, slots=True)
class UninstallRelease:
    """The release can neither be upgraded nor installed anew."""

    namespace: str
    release: str
    why: str

    @property
    def said(self) -> str:
        """The sentence."""
        return f"The Helm release {self.release} {self.why}; it was uninstalled, to be installed anew."


@dataclass(frozen=True, slots=True)
class RollBackRelease:
    """An upgrade was interrupted: Helm refuses the next one until the release is at a whole revision again."""

    namespace: str
    release: str
    revision: int
    why: str

    @property
    def said(self) -> str:
        """The sentence."""
        return f"The Helm release {self.release} {self.why}; it was rolled back to its revision {self.revision}."


@dataclass(frozen=True, slots=True)
class DeleteNamespace:
    """The namespace is ours, but Pulumi does not know it, so it could not make it."""

    namespace: str
    uid: str

    @property
    def said(self) -> str:
        """The sentence."""
        return (
            f"The namespace {self.namespace} was this environment's, but Pulumi's state did not know it; it was "
            "deleted, to be made anew."
        )


@dataclass(frozen=True, slots=True)
class DeleteObjects:
    """Objects in our namespace that Pulumi does not know, so it could not make them."""

    objects: tuple[ObjectName, ...]

    @property
    def said(self) -> str:
        """The sentence."""
        names = ", ".join(map(str, self.objects))
        return f"Pulumi's state did not know what an interrupted run had made ({names}); deleted, to be made anew."


@dataclass(frozen=True, slots=True)
class DropRole:
    """A role of ours without a database, which Pulumi does not know."""

    role: str

    @property
    def said(self) -> str:
        """The sentence."""
        return f"The role {self.role} was left by an interrupted run; it was dropped."


@dataclass(frozen=True, slots=True)
class DeleteLedgerEntry:
    """An entry of ours in the ledger for a database and role that do not exist, which Pulumi does not know."""

    namespace: str
    name: str

    @property
    def said(self) -> str:
        """The sentence."""
        return f"The ledger's entry {self.name} was left by an interrupted run; it was deleted, to be made anew."


@dataclass(frozen=True, slots=True)
class Refresh:
    """Pulumi's state says what is not so."""

    because: str
    clear_pending: bool = False
    exclude: tuple[str, ...] = ()
    """URNs to leave as they are."""

    @property
    def said(self) -> str:
        """The sentence."""
        return f"{self.because[:1].upper()}{self.because[1:]}; Pulumi's state was refreshed."


@dataclass(frozen=True, slots=True)
class Adopt:
    """The database is ours and exists, but Pulumi does not know it. It holds data, so it is never made anew."""

    parts: tuple[Ours, ...]
    database: str

    @property
    def said(self) -> str:
        """The sentence."""
        return (
            f"Pulumi's state did not know the {', '.join(self.parts)} of {self.database}, which exist and are this "
            "environment's; they were imported, with their data."
        )


Repair = (
    AwaitNamespaceGone
    | GiveRights
    | MakeNamespace
    | Administer
    | AllowConnections
    | DropDatabase
    | UninstallRelease
    | RollBackRelease
    | DeleteNamespace
    | DeleteObjects
    | DropRole
    | DeleteLedgerEntry
    | Refresh
    | Adopt
)
