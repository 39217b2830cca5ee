"""Before each run: whatever a run that died, or a person, left half-made becomes something Pulumi can go on from.

`look` sees facts, `decide` (pure) says what to repair, `repair` does it. Runs under the environment's lease.
"""

from datetime import UTC, datetime

from deploytag.delivery.recovery import locks
from deploytag.delivery.recovery.decide import decide, is_unknown_to_pulumi
from deploytag.delivery.recovery.look import look, look_at_locks
from deploytag.delivery.recovery.repair import repair
from deploytag.delivery.recovery.tools import Commands, Engine, Lease, Tools
from deploytag.delivery.run import Action
from deploytag.errors import DeploymentError, ProtectedError

__all__ = ["Commands", "Engine", "Lease", "Tools", "decide", "look", "recover", "repair", "unlock"]

ROUNDS = 8
"""Looks until nothing is wrong. There are six stages, and a repair may uncover what an earlier stage repairs."""


def recover(tools: Tools, action: Action) -> list[str]:
    """Repair the environment, so that a plain run of Pulumi goes through; what was repaired, a sentence each.

    Where nothing is wrong it costs one look and changes nothing.

    Raises:
        BusyError: somebody else's lock, or the lease was lost.
        ProtectedError: it would delete the namespace of a protected environment that was deployed before.
        OwnershipError: something of the environment's names is not provably its own.
        UnreachableError: something cannot be asked.
        DeploymentError: something cannot be repaired; the sentence says why, and what a person can do.
    """
    said = unlock(tools)
    for _ in range(ROUNDS):
        facts = look(tools)
        if tools.protected and is_unknown_to_pulumi(facts):
            raise ProtectedError(
                f"{tools.identity.ref} is protected and was deployed, but Pulumi's state does not know its namespace "
                f"{tools.identity.namespace}, which would have to be deleted and made anew: nothing of that was done. "
                "Its state may be in another backend (PULUMI_BACKEND_URL, `pulumi login`). If it is lost: `deploytag "
                f"destroy {tools.identity.ref} --force`, and deploy it again."
            )
        repairs = decide(facts, action)
        if not repairs:
            return said
        for it in repairs:
            repair(tools, it)
            said.append(it.said)
    raise DeploymentError(
        f"{tools.identity.ref} could not be repaired: this was done, and is needed again. {' '.join(said)}"
    )


def unlock(tools: Tools) -> list[str]:
    """Remove the locks and half-written files that engines of ended runs left; what was removed, a sentence each.

    Raises:
        BusyError: there is a lock of somebody else.
    """
    stale = locks.stale(tools.identity, look_at_locks(tools), tools.lease.engines, datetime.now(UTC))
    said = []
    for lock in stale:
        tools.lease.check()
        if tools.store:
            tools.store.remove_lock(lock)
        holder = f" (process {lock.holder.pid} on {lock.holder.hostname})" if lock.holder else ""
        said.append(f"A run that died{holder} had left its lock on the stack {tools.identity.stack}; it was removed.")
    if tools.lease.engines:
        tools.lease.engines_ended()
    tools.lease.check()
    if tools.store and tools.store.mend(tools.identity.project, tools.identity.stack):
        said.append(
            f"A run that died had left half-written files of the stack {tools.identity.stack}; they were removed."
        )
    return said
