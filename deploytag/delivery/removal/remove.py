"""Destroying for real: the lease, Pulumi and Helm behind `destroy`."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial

from deploytag.delivery.engine import Engine
from deploytag.delivery.hold import PATIENCE, Held, hold
from deploytag.delivery.processes.cancellation import Cancellation
from deploytag.delivery.record import Tombstone
from deploytag.delivery.removal.destroy import Destroyed, Means, destroy
from deploytag.delivery.report import Report, Result
from deploytag.delivery.run import Action, Run, Still
from deploytag.delivery.world import World
from deploytag.errors import SettingsError, UnreachableError
from deploytag.identity import Identity
from deploytag.settings import EnvironmentClass

HELM_SECONDS = 60
"""How long a release may take to go before its namespace goes without it."""


def class_of(world: World, ref: str) -> EnvironmentClass | None:
    """The ref's class; None where it belongs to none.

    Both the one it has by the policy and the one its environment was made with: whichever is protected counts.
    """
    policy = world.policy
    record = world.records.get(world.identity(ref))
    found = [policy.classes.get(record.environment_class)] if record and record.environment_class else []
    with suppress(SettingsError):
        found.insert(0, policy.class_of(ref))
    known = [cls for cls in found if cls is not None]
    return next((cls for cls in known if cls.protected), known[0] if known else None)


def remove(
    world: World,
    ref: str,
    *,
    force: bool = False,
    patience: float = PATIENCE,
    still: Still = lambda: None,
    tip: Callable[[], str | None] | None = None,
    cancellation: Cancellation | None = None,
) -> Report:
    """Destroy a ref's environment under its lease; `still` and `cancellation` are as in `hold`.

    Args:
        tip: where the remote had the ref when it was decided, as `still` makes sure: this commit must not bring it
            back, but one that is pushed from then on must. Where a person decides, it is asked under the lease.

    Raises:
        SkippedError: `still` said why not; nothing was touched.
        DeployTagError: as `hold` and `destroy` say.
    """
    identity = world.identity(ref)
    run = Run.start(Action.DESTROY, None)
    with hold(world, identity, run, patience=patience, still=still, cancellation=cancellation) as held:
        buried = tip() if tip else _tip(world, identity)
        tombstone = Tombstone(project=world.project, ref=ref, tip=buried, destroyed=datetime.now(UTC), run=run.id)
        repaired: list[str] = []
        with world.progress.phase("destroy"):
            done = destroy(
                identity,
                world.sources,
                world.records,
                means(held, repaired),
                tombstone,
                cls=class_of(world, ref),
                force=force,
            )
    return _report(world, identity, done, repaired)


def _report(world: World, identity: Identity, done: Destroyed, repaired: list[str]) -> Report:
    reason = None if done.removed else f"{identity.ref} was gone already"
    world.progress.done(reason or f"{identity.ref} is gone: a new look finds nothing")
    return Report(
        action=Action.DESTROY,
        ref=identity.ref,
        stack=identity.stack,
        outcome=Result.DESTROYED if done.removed else Result.UNCHANGED,
        reason=reason,
        seconds=dict(world.progress.seconds),
        repaired=tuple(repaired),
        removed=tuple(f"{item.kind} {item.name}" for item in done.removed),
        warnings=done.notes,
    )


def _tip(world: World, identity: Identity) -> str | None:
    """The commit that must not bring the environment back: the remote's, or where that is silent, the last deployed."""
    try:
        return world.remote.tip(identity.ref)
    except (UnreachableError, SettingsError) as error:
        world.progress.warn(f"{error} It is destroyed all the same; until the next push it stays so.")
    record = world.records.get(identity)
    if record and record.attempt:
        return record.attempt.revision
    return record.deployed.revision if record and record.deployed else None


def means(held: Held, repaired: list[str]) -> Means:
    """What a run can do while it holds the lease; `repaired` is told what had to be put right first."""
    engine = held.engine_without_program()
    return Means(
        check=held.go_on,
        repair=lambda: repaired.extend(held.repair(engine)),
        destroy_stack=partial(_destroy_stack, held, engine),
        unprotect=engine.unprotect,
        remove_stack=partial(_remove_stack, held, engine),
        uninstall=partial(_uninstall, held),
        say=held.world.progress.warn,
    )


def _destroy_stack(held: Held, engine: Engine) -> str | None:
    result = engine.destroy()
    held.go_on()
    return None if result.ok else f"Pulumi could not destroy everything: {result.complaint}"


def _remove_stack(held: Held, engine: Engine) -> None:
    if held.world.store is None:
        engine.remove_stack()
        return
    # Pulumi would keep the history, backups and a copy of a removed stack for ever, and nobody could tell any more that
    # they are there if this run died before it came to them.
    held.world.store.remove_stack(held.identity.project, held.identity.stack)


def _uninstall(held: Held) -> None:
    identity = held.identity
    finished = held.children.run(
        [
            *("helm", "uninstall", identity.release, "--namespace", identity.namespace),
            *("--ignore-not-found", "--timeout", f"{HELM_SECONDS}s"),
        ],
        cwd=held.scratch,
        environ=held.world.environ,
        timeout=2 * HELM_SECONDS,
    )
    if finished.code:
        held.world.progress.warn(f"Helm could not remove its release: {finished.output.strip()}")
