"""What is to be repaired, by what was seen. Pure: a table of tests says every case.

Repairs change what is true, so only the first stage that finds something is returned; then one looks again.
"""

from collections.abc import Callable
from enum import Enum, auto

from deploytag.delivery.recovery.facts import Facts, Status
from deploytag.delivery.recovery.repairs import (
    Administer,
    Adopt,
    AllowConnections,
    AwaitNamespaceGone,
    DeleteLedgerEntry,
    DeleteNamespace,
    DeleteObjects,
    DropDatabase,
    DropRole,
    GiveRights,
    MakeNamespace,
    Ours,
    Refresh,
    Repair,
    RollBackRelease,
    UninstallRelease,
)
from deploytag.delivery.recovery.state import PendingOperation, ledger_id, release_id, rights_id
from deploytag.delivery.resource_types import (
    CONFIG_MAP,
    DATABASE,
    ENGINE,
    GRANT,
    GRANT_ROLE,
    IMAGE,
    NAMESPACE,
    RELEASE,
    ROLE,
    ROLE_BINDING,
)
from deploytag.delivery.run import Action
from deploytag.errors import OwnershipError
from deploytag.ownership import SYSTEM_NAMESPACE, database_elsewhere, foreign_database, names, owns


def decide(facts: Facts, action: Action) -> tuple[Repair, ...]:
    """What to repair next; nothing: the run can begin.

    Raises:
        OwnershipError: something of the environment's names is not provably its own, and the run would touch it.
    """
    _refuse_what_is_not_ours(facts, action)
    stages = _BEFORE_DESTROY if action is Action.DESTROY else _BEFORE_DEPLOY
    return next((repairs for stage in stages if (repairs := stage(facts))), ())


def _refuse_what_is_not_ours(facts: Facts, action: Action) -> None:
    identity, state, complaints = facts.identity, facts.state, []
    if facts.server and (complaint := database_elsewhere(identity, facts.server.database)):
        raise OwnershipError(f"{complaint}. Nothing was touched.")
    # Destroying goes by what Pulumi knows; what it does not know is not touched, whoever it belongs to.
    everything = action is not Action.DESTROY
    if (
        facts.namespace
        and not owns(identity, facts.namespace.annotations)
        and (everything or state.find(NAMESPACE, identity.namespace))
    ):
        complaints.append(f"the namespace {identity.namespace} exists and is not that of {identity.ref}")
    if (
        facts.server
        and (complaint := foreign_database(identity, facts.server.database))
        and (everything or state.find(DATABASE, identity.database) or state.find(ROLE, identity.role))
    ):
        complaints.append(complaint)
    if everything and facts.server and facts.ledger is not None and not names(facts.ledger, identity):
        complaints.append(f"the ledger's entry {identity.namespace} in {SYSTEM_NAMESPACE} names another environment")
    if complaints:
        raise OwnershipError(
            f"{'; '.join(complaints)}: it was left alone, nothing was touched. Rename the branch or remove it by hand."
        )


def is_unknown_to_pulumi(facts: Facts) -> bool:
    """Whether the environment's namespace is there and the state does not know it, so that it has to be made anew."""
    namespace = facts.namespace
    return bool(namespace and not namespace.terminating and not facts.state.find(NAMESPACE, facts.identity.namespace))


def _terminating(facts: Facts) -> tuple[Repair, ...]:
    if facts.namespace and facts.namespace.terminating:
        return (AwaitNamespaceGone(facts.identity.namespace),)
    return ()


def _namespace(facts: Facts) -> tuple[Repair, ...]:
    """A namespace that somebody removed: where rights are given in it, a refresh would be refused instead of told."""
    identity, state = facts.identity, facts.state
    if (
        facts.namespace is None
        and state.find(NAMESPACE, identity.namespace)
        and state.find(ROLE_BINDING, rights_id(identity))
    ):
        return (MakeNamespace(identity.namespace),)
    return ()


def _rights(facts: Facts) -> tuple[Repair, ...]:
    """A namespace in which nothing may be done any more. One that never had its RoleBinding gets it from Pulumi."""
    identity, namespace = facts.identity, facts.namespace
    if (
        facts.locked_out
        and namespace
        and not namespace.terminating
        and owns(identity, namespace.annotations)
        and facts.state.find(ROLE_BINDING, rights_id(identity))
    ):
        return (GiveRights(identity.namespace),)
    return ()


def _connections(facts: Facts) -> tuple[Repair, ...]:
    """A database that Pulumi could not enter, be it for a refresh or to drop it."""
    identity, server = facts.identity, facts.server
    if server is None or server.database.owner is None or foreign_database(identity, server.database):
        return ()
    repairs: list[Repair] = [] if server.is_administered else [Administer(identity.role)]
    if server.is_invalid:
        repairs.append(DropDatabase(identity.database, "whose drop had been interrupted"))
    elif not server.allows_connections:
        repairs.append(AllowConnections(identity.database))
    return tuple(repairs)


def _release(facts: Facts) -> tuple[Repair, ...]:
    """A release that the next `up` could neither upgrade nor install."""
    identity, whole = facts.identity, facts.whole_revision
    match _what_helm_needs(facts):
        case None:
            return ()
        case _Cure.ROLL_BACK, why if whole is not None:
            return (RollBackRelease(identity.namespace, identity.release, whole, why),)
        case _, why:
            return (UninstallRelease(identity.namespace, identity.release, why),)


class _Cure(Enum):
    UNINSTALL = auto()
    ROLL_BACK = auto()
    """To the last whole revision, or uninstall where there is none."""


def _what_helm_needs(facts: Facts) -> tuple[_Cure, str] | None:
    known = facts.state.find(RELEASE, release_id(facts.identity))
    if not facts.revisions:
        return None
    newest, need = facts.revisions[-1].status, None
    if known is None:
        need = _Cure.UNINSTALL, "was installed by an interrupted run and is not in Pulumi's state"
    elif newest in {Status.PENDING_INSTALL, Status.UNINSTALLING, Status.UNINSTALLED}:
        need = _Cure.UNINSTALL, f"was left {newest}"
    elif newest in {Status.PENDING_UPGRADE, Status.PENDING_ROLLBACK, Status.UNKNOWN}:
        need = _Cure.ROLL_BACK, f"was left {newest}"
    elif newest is Status.FAILED and not facts.was_ever_deployed:
        # An upgrade would go on from it, but never run the hooks that are for the first installation only.
        need = _Cure.UNINSTALL, "failed when it was first installed"
    elif newest is Status.FAILED and not known.has_init_errors:
        # The next `up` upgrades what is marked as failed; without the mark, only what has other inputs. An upgrade that
        # was interrupted has the old inputs in the state, so the old revision is what the state says.
        interrupted = any(it.urn == known.urn and it.operation == "updating" for it in facts.state.pending)
        need = _Cure.ROLL_BACK if interrupted else _Cure.UNINSTALL, "failed, and Pulumi's state does not say so"
    return need


def _orphans(facts: Facts) -> tuple[Repair, ...]:
    """What an interrupted run made, is ours, and is not in the state: making it again would fail."""
    identity, state, namespace = facts.identity, facts.state, facts.namespace
    repairs: list[Repair] = []
    if namespace and not state.find(NAMESPACE, identity.namespace):
        repairs.append(DeleteNamespace(identity.namespace, namespace.uid))
    elif orphans := tuple(it for it in facts.objects if not state.knows(it)):
        repairs.append(DeleteObjects(orphans))
    if facts.server and facts.server.database.owner is None:
        if facts.server.database.role_exists:
            if not state.find(ROLE, identity.role):
                repairs.append(DropRole(identity.role))
        elif facts.ledger is not None and not state.find(CONFIG_MAP, ledger_id(identity)):
            repairs.append(DeleteLedgerEntry(SYSTEM_NAMESPACE, identity.namespace))
    return tuple(repairs)


# A second creation of these does no harm, or the stages before have looked for what the first one made.
_LOOKED_AFTER = (NAMESPACE, RELEASE, DATABASE, ROLE)
_REPEATABLE = (IMAGE, GRANT, GRANT_ROLE)


def _refresh(facts: Facts) -> tuple[Repair, ...]:
    """State that says what is not so: operations of unknown end, and resources that somebody removed by hand."""
    pending, gone = facts.state.pending, _gone(facts)
    if not pending and not gone:
        return ()
    because = []
    if pending:
        names = ", ".join(f"{it.operation} {it.name}" for it in pending)
        because.append(f"it was not known how an interrupted run's operations had ended ({names})")
    if doubtful := [it.name for it in pending if it.operation == "creating" and not _is_looked_after(facts, it)]:
        because.append(f"{', '.join(doubtful)} may exist without being in Pulumi's state")
    if gone:
        because.append(f"{', '.join(gone)} had been removed")
    release = facts.state.find(RELEASE, release_id(facts.identity))
    # A refresh takes away the mark of a failure, and with it the reason for the next `up` to try again.
    keep = (release.urn,) if release and release.has_init_errors and facts.revisions else ()
    return (Refresh("; ".join(because), clear_pending=bool(pending), exclude=keep),)


def _is_looked_after(facts: Facts, pending: PendingOperation) -> bool:
    if pending.object and pending.object.namespace in {facts.identity.namespace, SYSTEM_NAMESPACE}:
        return True
    return pending.type in (*_LOOKED_AFTER, *_REPEATABLE) or pending.type.startswith(ENGINE)


def _gone(facts: Facts) -> list[str]:
    identity, state, server = facts.identity, facts.state, facts.server
    seen = [
        (NAMESPACE, identity.namespace, facts.namespace is not None, f"the namespace {identity.namespace}"),
        (
            RELEASE,
            release_id(identity),
            bool(facts.revisions) or facts.locked_out,
            f"the Helm release {identity.release}",
        ),
        (CONFIG_MAP, ledger_id(identity), facts.ledger is not None, f"the ledger's entry {identity.namespace}"),
    ]
    if server:
        has_database, has_role = server.database.owner is not None, server.database.role_exists
        seen += [
            (DATABASE, identity.database, has_database, f"the database {identity.database}"),
            (ROLE, identity.role, has_role, f"the role {identity.role}"),
        ]
    return [said for type_, id_, exists, said in seen if not exists and state.find(type_, id_)]


def _adopt(facts: Facts) -> tuple[Repair, ...]:
    """What holds data, or must not be gone while that exists, and is not in the state."""
    identity, state, server = facts.identity, facts.state, facts.server
    if server is None:
        return ()
    has_database, has_role = server.database.owner is not None, server.database.role_exists
    parts = tuple(
        part
        for part, exists, type_, id_ in (
            (Ours.LEDGER, facts.ledger is not None and (has_database or has_role), CONFIG_MAP, ledger_id(identity)),
            (Ours.ROLE, has_role and has_database, ROLE, identity.role),
            (Ours.DATABASE, has_database, DATABASE, identity.database),
        )
        if exists and not state.find(type_, id_)
    )
    return (Adopt(parts, identity.database),) if parts else ()


def _database_without_state(facts: Facts) -> tuple[Repair, ...]:
    """Of the database and the role what Pulumi does not know, before it destroys what it knows: with that goes the
    ledger's entry, which alone proves whose they are."""
    identity, state, server = facts.identity, facts.state, facts.server
    if server is None or server.database.is_absent or not state.find(CONFIG_MAP, ledger_id(identity)):
        return ()
    if foreign_database(identity, server.database):
        return ()
    knows_role, has_database = state.find(ROLE, identity.role), server.database.owner is not None
    if has_database and not (knows_role and state.find(DATABASE, identity.database)):
        return (DropDatabase(identity.database, "which Pulumi's state did not know"),)
    return () if knows_role or has_database else (DropRole(identity.role),)


Stage = Callable[[Facts], tuple[Repair, ...]]
_BEFORE_DEPLOY: tuple[Stage, ...] = (
    _terminating,
    _namespace,
    _rights,
    _connections,
    _release,
    _orphans,
    _refresh,
    _adopt,
)
# Destroying takes away what the others would repair; but a state that says what is not so would make it fail.
_BEFORE_DESTROY: tuple[Stage, ...] = (_rights, _connections, _database_without_state, _refresh)
