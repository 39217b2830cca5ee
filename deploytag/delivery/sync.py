"""Brings new versions of secrets to the environments that are there. `decide` is pure."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from deploytag.delivery.again import declare_again, report
from deploytag.delivery.hold import PATIENCE, hold
from deploytag.delivery.provenance import hindrance
from deploytag.delivery.record import Attempt, Deployed, Outcome, Record
from deploytag.delivery.report import Report, Result
from deploytag.delivery.run import Action, Run
from deploytag.delivery.secret_versions import Versions, secrets_manager
from deploytag.delivery.world import World
from deploytag.errors import DeployTagError, InterruptedRunError, SettingsError, UsageError
from deploytag.identity import Identity
from deploytag.settings import POLICY_FILE


@dataclass(frozen=True, slots=True)
class Skip:
    """The environment is left as it is."""

    why: str


@dataclass(frozen=True, slots=True)
class Current:
    """The pods have the newest versions."""

    why: str


@dataclass(frozen=True, slots=True)
class Move:
    """The pods have an older version of something."""

    deployed: Deployed
    why: str


Plan = Skip | Current | Move


def decide(ref: str, record: Record | None, *, there: bool, newest: Callable[[], Mapping[str, str]]) -> Plan:
    """What is to be done about an environment.

    Args:
        ref: its branch.
        record: what is remembered of it.
        there: whether the remote has its branch.
        newest: the versions its class's secrets have now; asked only when it matters.

    Raises:
        SettingsError, SecretError, UnreachableError: as `newest` does.
    """
    if record is None or record.deployed is None:
        return Skip(f"nothing is known to be deployed for {ref}: `deploytag deploy` deploys it")
    if not there:
        return Skip(f"{ref} is gone from the remote: `deploytag gc` removes its environment")
    if record.asleep:
        return Skip(f"{ref} sleeps: it gets the newest secrets when it wakes")
    before, now = record.deployed.secret_versions, newest()
    moved = sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
    if not moved:
        return Current(f"nothing to do: {ref} has the newest version of each of its secrets")
    return Move(record.deployed, f"{', '.join(moved)} moved")


def plan(world: World, ref: str, versions: Versions | None = None) -> Plan:
    """What `sync` would do. Touches nothing.

    Raises:
        DeployTagError: it cannot be told.
    """
    return _decide(world, ref, versions or Versions(secrets_manager), world.trusted.tip)


def plan_all(world: World, class_name: str | None = None) -> Iterator[tuple[str, Plan]]:
    """The same for every environment of the project that a run has deployed, by ref; of one class where it is named.

    Raises:
        UsageError: there is no such class.
        DeployTagError: as `plan` does.
    """
    versions = Versions(secrets_manager)
    return ((ref, plan(world, ref, versions)) for ref in _recorded(world, class_name))


def sync(world: World, ref: str, *, patience: float = PATIENCE, versions: Versions | None = None) -> Report:
    """Give an environment the newest versions of its secrets, with the commit that is deployed.

    Raises:
        DeployTagError: it cannot be done; what became of the environment is in its record.
    """
    identity = world.identity(ref)
    # The remote said where every branch is when it was asked for the policy; under the lease it is asked again.
    decided = plan(world, ref, versions)
    if not isinstance(decided, Move):
        return _nothing_done(world, identity, decided)
    world.progress.say(f"{ref}: {decided.why}")
    with hold(world, identity, Run.start(Action.SYNC, None), patience=patience) as held:
        # Another run may have done it meanwhile.
        decided = _decide(world, ref, Versions(secrets_manager), world.remote.tip)
        record = world.records.get(identity)
        if not isinstance(decided, Move) or record is None:
            return _nothing_done(world, identity, decided)
        deployed = decided.deployed
        attempt = Attempt(run=held.run.id, action=Action.SYNC, revision=deployed.revision, started=datetime.now(UTC))
        record = record.begun(attempt, asleep=False)
        with held.remembering(record):
            declared = declare_again(held, deployed)
        record = record.model_copy(update={"deployed": declared.deployed, "asleep": False})
        held.remember(record, Outcome.SUCCEEDED)
    world.progress.done(f"{ref} has the newest version of each of its secrets")
    return report(world, identity, Action.SYNC, Result.SYNCED, record, reason=decided.why, repaired=declared.repaired)


def sync_all(
    world: World, class_name: str | None = None, *, patience: float = PATIENCE
) -> tuple[list[Report], list[DeployTagError]]:
    """The same for every environment of the project that a run has deployed; one that fails does not keep the others.

    Each runs its branch's program with what this run holds. Where classes have credentials of their own, one class at
    a time is brought its secrets, with those of that class.

    Raises:
        UsageError: there is no such class.
        InterruptedRunError: a signal came.
        DeployTagError: it cannot be told which environments there are.
    """
    versions = Versions(secrets_manager)
    reports: list[Report] = []
    errors: list[DeployTagError] = []
    for ref in _recorded(world, class_name):
        try:
            reports.append(sync(world, ref, patience=patience, versions=versions))
        except InterruptedRunError:
            raise
        except DeployTagError as error:
            world.progress.fail(f"{ref}: {error}")
            errors.append(error)
            identity = world.identity(ref)
            record = world.records.get(identity)
            reports.append(report(world, identity, Action.SYNC, Result.FAILED, record, reason=None).ended_by(error))
    return reports, errors


def _recorded(world: World, class_name: str | None) -> list[str]:
    refs = sorted(record.ref for record in world.records.all(world.project) if record.deployed)
    if class_name is None:
        return refs
    if class_name not in world.policy.classes:
        raise UsageError(
            f"{POLICY_FILE} has no class {class_name}: it has {', '.join(world.policy.classes)}. Nothing was done."
        )
    return [ref for ref in refs if world.policy.refusal(ref) is None and world.policy.class_name_of(ref) == class_name]


def _decide(world: World, ref: str, versions: Versions, tip: Callable[[str], str | None]) -> Plan:
    try:
        cls = world.policy.class_of(ref)
    except SettingsError as error:
        return Skip(str(error))
    identity, now_at = world.identity(ref), tip(ref)
    record, there = world.records.get(identity), now_at is not None
    decided = decide(ref, record, there=there, newest=lambda: versions.of(cls))
    if isinstance(decided, Move) and (why := hindrance(world, identity, decided.deployed, now_at)):
        return Skip(why)
    return decided


def _nothing_done(world: World, identity: Identity, decided: Plan) -> Report:
    current = isinstance(decided, Current)
    (world.progress.done if current else world.progress.say)(decided.why)
    outcome = Result.UNCHANGED if current else Result.SKIPPED
    return report(world, identity, Action.SYNC, outcome, world.records.get(identity), reason=decided.why)
