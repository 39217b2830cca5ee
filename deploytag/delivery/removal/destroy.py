"""Removes everything of one environment, from what exists: its branch, program and settings may be long gone.

Pulumi does it as far as the state goes, since only it knows what an application declared beside its environment. What
it could not do, or never knew of, is removed directly. The end is proven by looking again.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from deploytag.delivery.inventory import checkpoint
from deploytag.delivery.inventory import look as inventory
from deploytag.delivery.inventory.look import Sources
from deploytag.delivery.inventory.things import Inventory, Item, Kind
from deploytag.delivery.record import Tombstone
from deploytag.delivery.removal import volumes
from deploytag.delivery.removal.sweep import NAMESPACE_SECONDS, Leftover, Remembering, Sweep, hindrance
from deploytag.errors import DeploymentError, LeftoverError, OwnershipError, ProtectedError, UnreachableError
from deploytag.identity import Identity
from deploytag.settings import EnvironmentClass


class Memory(inventory.Memory, Remembering, Protocol):
    """What DeployTag remembers, to be read and written."""

    def bury(self, identity: Identity, tombstone: Tombstone) -> None:
        """Say that the environment was destroyed on purpose."""
        ...


@dataclass(frozen=True, slots=True)
class Means:
    """What a run that holds the environment's lease can do."""

    check: Callable[[], None]
    """Raises when this run may not write any more: BusyError without the lease, InterruptedRunError after a signal."""
    repair: Callable[[], None]
    """Puts right what a dead run left: locks, pending operations, a release in the middle of something."""
    destroy_stack: Callable[[], str | None]
    """`pulumi destroy` from state alone; why it could not, as far as it said."""
    unprotect: Callable[[], None]
    """Lifts the protection of everything in the state."""
    remove_stack: Callable[[], None]
    """`pulumi stack rm --force`."""
    uninstall: Callable[[], None]
    """`helm uninstall`: a release may have made more than its namespace holds. That there is none is no error."""
    say: Callable[[str], None]
    """Tells a person."""


@dataclass(frozen=True, slots=True)
class Destroyed:
    """What was done."""

    project: str
    ref: str
    removed: tuple[Item, ...]
    """Empty: it was gone already."""
    notes: tuple[str, ...] = field(default=())
    """What Pulumi could not do, and was done without it."""


def destroy(
    identity: Identity,
    sources: Sources,
    memory: Memory,
    means: Means,
    tombstone: Tombstone,
    *,
    cls: EnvironmentClass | None,
    force: bool = False,
    namespace_seconds: float = NAMESPACE_SECONDS,
) -> Destroyed:
    """Remove everything of an environment, under its lease; what is gone already is no error.

    Args:
        tombstone: what to say of it to deployments that come too late.
        cls: its class; None where it belongs to none any more.
        force: remove it although it is protected.
        namespace_seconds: until what keeps a namespace is named.

    Raises:
        ProtectedError: it is protected; nothing was touched.
        LeftoverError: something is still there, each with the reason.
        BusyError: the lease is lost; nothing was written since.
        InterruptedRunError: a signal came; what was not removed yet is left to the next run.
        UnreachableError: somebody who has to be asked does not answer.
    """
    before = inventory.of(identity, sources)
    refuse_protected(identity, sources, before, cls, force=force)
    # First of all, so that a deployment that waits for the lease finds it.
    means.check()
    memory.bury(identity, tombstone)
    notes = []
    if _has_stack(sources, before) and (reason := _by_state(identity, sources, before, means, force=force)):
        means.say(f"{reason}\nWhat is left is removed without Pulumi.")
        notes.append(reason)
    leftovers = _sweep(identity, sources, memory, means, namespace_seconds)
    after = inventory.of(identity, sources)
    if left := inventory.left(after):
        raise _not_gone(identity, left, leftovers, notes)
    if sources.states is None:
        means.remove_stack()
    return Destroyed(identity.project, identity.ref, tuple(inventory.left(before)), tuple(notes))


def refuse_protected(
    identity: Identity, sources: Sources, found: Inventory, cls: EnvironmentClass | None, *, force: bool
) -> None:
    """Refuse what its class or its state protects.

    Raises:
        ProtectedError: it is, and there is no `force`.
    """
    if force or not inventory.left(found):
        return
    document = None
    if sources.states is not None and found.of_kind(Kind.STACK):
        with suppress(DeploymentError):  # what cannot be read protects nothing
            document = sources.states.checkpoint(identity.project, identity.stack)
    if why := protection(identity, cls, document):
        raise ProtectedError(
            f"{identity.ref} is not destroyed: {why}. Nothing was touched. `deploytag destroy {identity.ref} --force` "
            "destroys it all the same."
        )


def protection(identity: Identity, cls: EnvironmentClass | None, document: checkpoint.Document | None) -> str | None:
    """Why the environment is protected; None when it is not. Pure.

    The state counts as well: the policy may have changed since, or the branch may belong to no class any more.
    """
    if cls is not None and cls.protected:
        return f"the class of {identity.ref} ({cls.pattern}) is protected"
    if names := checkpoint.protected(document or {}):
        return f"its state protects {', '.join(names)}"
    return None


def _has_stack(sources: Sources, found: Inventory) -> bool:
    # A backend that cannot be listed is Pulumi's to ask.
    return sources.states is None or bool(found.of_kind(Kind.STACK))


def _is_empty(identity: Identity, sources: Sources) -> bool:
    """Whether there is nothing for Pulumi to destroy, as far as can be told without it."""
    if sources.states is None:
        return False
    try:
        return checkpoint.is_empty(sources.states.checkpoint(identity.project, identity.stack) or {})
    except DeploymentError:
        return False


def _by_state(identity: Identity, sources: Sources, found: Inventory, means: Means, *, force: bool) -> str | None:
    """Why Pulumi could not destroy everything that its state knows."""
    if found.unproven:
        # The state knows things by name only, and would take what now bears the name.
        return f"Pulumi was not asked, because of {', '.join(map(str, found.unproven))}"
    try:
        means.repair()
    except (DeploymentError, OwnershipError) as error:
        return f"Pulumi was not asked, because what an earlier run left could not be repaired: {error}"
    # Looked at only now: a dead run may have left its lock on a stack that never held anything.
    if _is_empty(identity, sources):
        return None
    if found.of_kind(Kind.NAMESPACE):
        try:
            volumes.keep_hold(identity, sources.cluster, means.check)
        except UnreachableError as error:
            return f"Pulumi was not asked, because nobody could tell any more whose the volumes are: {error}"
    if force:
        means.check()
        means.unprotect()
    means.check()
    return means.destroy_stack()


def _sweep(
    identity: Identity, sources: Sources, memory: Memory, means: Means, namespace_seconds: float
) -> list[Leftover]:
    found = inventory.left(inventory.of(identity, sources))
    if any(item.kind is Kind.NAMESPACE and hindrance(identity, item, []) is None for item in found):
        means.check()
        means.uninstall()
    return Sweep(identity, sources, memory, means.remove_stack, means.check, namespace_seconds).remove(found)


def _not_gone(identity: Identity, left: list[Item], leftovers: list[Leftover], notes: list[str]) -> LeftoverError:
    reasons = {(it.item.kind, it.item.name): it.reason for it in leftovers}
    lines = [
        str(Leftover(item, reasons.get((item.kind, item.name), "it came back while everything else was removed")))
        for item in left
    ]
    again = f"When the reason is put right: deploytag destroy {identity.ref}"
    return LeftoverError("\n  ".join([f"{identity.ref} is not gone:", *lines, *notes, again]), lines)
