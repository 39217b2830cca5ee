"""Sleep, wake and keep: what is done with an environment that nobody pushes to."""

from datetime import UTC, datetime, timedelta

from deploytag.delivery.converge import converge
from deploytag.delivery.diagnosis.verify import answers
from deploytag.delivery.hold import PATIENCE, Held, hold
from deploytag.delivery.lifetime import expiry
from deploytag.delivery.record import Attempt, Deployed, Outcome, Record
from deploytag.delivery.report import Report, Result
from deploytag.delivery.run import Action, Run, Still
from deploytag.delivery.worktree import worktree
from deploytag.delivery.world import World
from deploytag.errors import UsageError
from deploytag.identity import Identity
from deploytag.settings import ApplicationSettings


def sleep(world: World, ref: str, *, patience: float = PATIENCE, still: Still = lambda: None) -> Report:
    """Scale what is deployed to zero; database, secrets and address stay.

    Raises:
        SkippedError: `still` said why not; nothing was touched.
        DeployTagError: nothing is deployed, or it cannot be done.
    """
    return _set(world, ref, Action.SLEEP, patience, still)


def wake(world: World, ref: str, *, patience: float = PATIENCE) -> Report:
    """Start again what sleeps, and wait until it answers.

    Raises:
        DeployTagError: nothing is deployed, or it does not come up.
    """
    return _set(world, ref, Action.WAKE, patience, lambda: None)


def keep(world: World, ref: str, duration: timedelta) -> datetime:
    """Keep an environment for `duration` from now, though nobody pushes; returns until when.

    Raises:
        UsageError: there is no such environment.
    """
    identity = world.identity(ref)
    until = datetime.now(UTC) + duration
    record, _ = _recorded(world, identity)
    world.records.put(identity, record.model_copy(update={"keep_until": until}))
    return until


def _set(world: World, ref: str, action: Action, patience: float, still: Still) -> Report:
    identity = world.identity(ref)
    with hold(world, identity, Run.start(action, None), patience=patience, still=still) as held:
        record, deployed = _recorded(world, identity)
        asleep = action is Action.SLEEP
        result = Result.ASLEEP if asleep else Result.AWAKE
        if record.asleep == asleep:
            reason = f"{ref} is {result} already"
            world.progress.done(reason)
            return _report(held, record, Result.UNCHANGED, reason)
        attempt = Attempt(run=held.run.id, action=action, revision=deployed.revision, started=datetime.now(UTC))
        record = record.model_copy(update={"attempt": attempt})
        with held.remembering(record):
            repaired = _converge(held, deployed, asleep=asleep)
        # Awake is counted like a push: who wakes it wants to use it.
        pushed = record.pushed if asleep else attempt.started
        record = record.model_copy(update={"asleep": asleep, "pushed": pushed})
        held.remember(record, Outcome.SUCCEEDED)
        world.progress.done(f"{ref} is {result}" + ("" if asleep else f" at {deployed.url}"))
        return _report(held, record, result, None, repaired)


def _converge(held: Held, deployed: Deployed, *, asleep: bool) -> tuple[str, ...]:
    """Declare the deployed commit once more: what changes is whether it runs. Returns what had to be repaired."""
    world = held.world
    with worktree(world.repository, world.remote, deployed.revision, held.scratch / "worktree") as project:
        engine = held.program(project, deployed.revision, asleep=asleep)
        with world.progress.phase("repair"):
            repaired = held.repair(engine)
        with world.progress.phase("apply"):
            converge(held, engine)
        if not asleep:
            verify = ApplicationSettings.load(project).verify
            with world.progress.phase("verify"):
                answers(world.cluster, held.identity, deployed.url, deployed.revision, verify, check=held.go_on)
    return repaired


def _recorded(world: World, identity: Identity) -> tuple[Record, Deployed]:
    record = world.records.get(identity)
    if record is None or record.deployed is None:
        raise UsageError(
            f"nothing is known to be deployed for {identity.ref}: `deploytag ls` shows what is, and "
            "`deploytag deploy` deploys it."
        )
    return record, record.deployed


def _report(held: Held, record: Record, outcome: Result, reason: str | None, repaired: tuple[str, ...] = ()) -> Report:
    identity, policy = held.identity, held.world.policy
    cls = policy.classes.get(record.environment_class or "")
    return Report(
        action=held.run.action,
        ref=identity.ref,
        stack=identity.stack,
        outcome=outcome,
        revision=record.deployed.revision if record.deployed else None,
        url=record.deployed.url if record.deployed else None,
        reason=reason,
        seconds=dict(held.world.progress.seconds),
        repaired=repaired,
        expires=expiry(record, cls) if cls else None,
    )
