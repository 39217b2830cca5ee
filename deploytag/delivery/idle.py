"""Sleep, wake and keep: what is done with an environment that nobody pushes to."""

from datetime import UTC, datetime, timedelta

from deploytag.delivery.again import declare_again, report
from deploytag.delivery.diagnosis.health import awake
from deploytag.delivery.hold import PATIENCE, hold
from deploytag.delivery.processes.cancellation import Cancellation
from deploytag.delivery.provenance import hindrance
from deploytag.delivery.record import Attempt, Deployed, Outcome, Record
from deploytag.delivery.report import Report, Result
from deploytag.delivery.run import Action, Run, Still
from deploytag.delivery.world import World
from deploytag.errors import RefError, UsageError
from deploytag.identity import Identity


def sleep(
    world: World,
    ref: str,
    *,
    patience: float = PATIENCE,
    still: Still = lambda: None,
    cancellation: Cancellation | None = None,
) -> Report:
    """Scale what is deployed to zero; database, secrets and address stay. `cancellation` is as in `hold`.

    Raises:
        SkippedError: `still` said why not; nothing was touched.
        DeployTagError: nothing is deployed, or it cannot be done.
    """
    return _set(world, ref, Action.SLEEP, patience=patience, still=still, cancellation=cancellation)


def wake(world: World, ref: str, *, patience: float = PATIENCE) -> Report:
    """Start again what sleeps, and wait until it answers.

    Raises:
        DeployTagError: nothing is deployed, or it does not come up.
    """
    return _set(world, ref, Action.WAKE, patience=patience)


def keep(world: World, ref: str, duration: timedelta) -> datetime:
    """Keep an environment for `duration` from now, though nobody pushes; returns until when.

    Raises:
        UsageError: there is no such environment.
    """
    identity = world.identity(ref)
    until = datetime.now(UTC) + duration
    _recorded(world.records.get(identity), identity)
    # Without the lease: a run may be working on the environment, and writes down what it does meanwhile.
    world.records.update(identity, lambda now: _recorded(now, identity)[0].model_copy(update={"keep_until": until}))
    return until


def _set(
    world: World,
    ref: str,
    action: Action,
    *,
    patience: float,
    still: Still = lambda: None,
    cancellation: Cancellation | None = None,
) -> Report:
    identity, run = world.identity(ref), Run.start(action, None)
    with hold(world, identity, run, patience=patience, still=still, cancellation=cancellation) as held:
        record, deployed = _recorded(world.records.get(identity), identity)
        asleep = action is Action.SLEEP
        result = Result.ASLEEP if asleep else Result.AWAKE
        if record.asleep is asleep:
            already = f"{ref} is {result} already"
            world.progress.done(already)
            return report(world, identity, action, Result.UNCHANGED, record, reason=already)
        if why := hindrance(world, identity, deployed, world.remote.tip(ref)):
            raise RefError(f"{ref} is not {result}: {why}. Nothing was touched.")
        attempt = Attempt(run=held.run.id, action=action, revision=deployed.revision, started=datetime.now(UTC))
        record = record.begun(attempt, asleep=asleep)
        with held.remembering(record):
            declared = declare_again(held, deployed, asleep=asleep)
            running = awake(world.cluster, identity) if asleep else ()
        # Awake is counted like a push: who wakes it wants to use it.
        pushed = record.pushed if asleep else attempt.started
        record = record.model_copy(update={"asleep": asleep, "pushed": pushed, "deployed": declared.deployed})
        record = held.remember(record, Outcome.SUCCEEDED)
        reason = f"its chart does not stop {', '.join(running)}" if running else None
        more = "" if asleep else f" at {declared.deployed.url}"
        world.progress.done(f"{ref} is {result}{more}" + (f"; {reason}" if reason else ""))
        return report(world, identity, action, result, record, reason=reason, repaired=declared.repaired)


def _recorded(record: Record | None, identity: Identity) -> tuple[Record, Deployed]:
    if record is None or record.deployed is None:
        raise UsageError(
            f"nothing is known to be deployed for {identity.ref}: `deploytag ls` shows what is, and "
            "`deploytag deploy` deploys it."
        )
    return record, record.deployed
