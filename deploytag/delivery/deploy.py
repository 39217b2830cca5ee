"""The flow of a push: class, tests, lease, recovery, `pulumi up`, verified URL, record. Read `deploy` top to bottom."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from deploytag import repository, tests_command
from deploytag.delivery.admission import admit, refuse_beyond
from deploytag.delivery.converge import converge, url_of, verified, versions_of, watched
from deploytag.delivery.decision import AlreadyServed, Facts, Go, Plan, Skip, decide, outdated
from deploytag.delivery.diagnosis.health import healthy
from deploytag.delivery.diagnosis.verify import answers
from deploytag.delivery.engine import EngineResult
from deploytag.delivery.fingerprint import fingerprint, program_digest
from deploytag.delivery.hold import PATIENCE, Held, hold, stoppable
from deploytag.delivery.lease.acquire import GaveUpError
from deploytag.delivery.lifetime import expiry
from deploytag.delivery.previous import telling_what_still_serves
from deploytag.delivery.processes.cancellation import Cancellation
from deploytag.delivery.protection import refuse_ending
from deploytag.delivery.push import remembering_push
from deploytag.delivery.record import Attempt, Deployed, Outcome, Record
from deploytag.delivery.report import Report, Result
from deploytag.delivery.run import Action, Run
from deploytag.delivery.secret_versions import check, secrets_manager
from deploytag.delivery.world import World
from deploytag.errors import DeploymentError, RefError, UnreachableError
from deploytag.identity import Identity
from deploytag.printable import one_line
from deploytag.settings import ApplicationSettings, EnvironmentClass
from deploytag.trees import STAGE, stage

ASK_AGAIN = 10.0
"""Seconds after which a run that waits asks the remote again whether something newer was pushed."""

SHOWN = 5
"""Changed files that are named."""

Tip = Callable[[str], str | None]
"""The commit that a ref is at; None: there is no such ref."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be deployed."""

    ref: str
    revision: str
    """The checkout's commit."""
    pinned: bool = False
    """Whether a person named that commit, so that it need not be the remote's tip."""
    recreate: bool = False
    """Whether to bring back what was destroyed on purpose."""
    patience: float = PATIENCE
    """Seconds to wait for another run on the same environment."""


@dataclass(frozen=True, slots=True)
class Subject:
    """One environment, and what its checkout says it shall be."""

    identity: Identity
    class_name: str
    cls: EnvironmentClass
    settings: ApplicationSettings
    request: Request
    fingerprint: str | None


def plan(world: World, request: Request) -> Plan:
    """What `deploy` would do. Touches nothing."""
    return _outdated(world, request) or decide(_facts(world, _subject(world, request), world.trusted.tip))


def deploy(world: World, request: Request) -> Report:
    """Make the environment of a ref serve a commit, or say why there is nothing to do.

    Raises:
        DeployTagError: a sentence; what became of the environment is in its record.
    """
    progress = world.progress
    if difference := world.trusted.differs(world.repository):
        progress.say(difference)
    with progress.phase("look"):
        skip = _outdated(world, request)
    if skip:
        return _nothing_done(world, request, skip)
    run = Run.start(Action.DEPLOY, request.revision)
    # From here on it is a push, whatever its settings, secrets or tests come to.
    with remembering_push(world.records, world.identity(request.ref), run):
        done = _test_and_deploy(world, request, run)
        return done if isinstance(done, Report) else _nothing_done(world, request, done)


def _test_and_deploy(world: World, request: Request, run: Run) -> Report | Plan:
    progress = world.progress
    with progress.phase("look"):
        subject = _subject(world, request)
        facts = _facts(world, subject, world.trusted.tip)
        decided = decide(facts)
    if not isinstance(decided, Go):
        return decided
    if facts.record is None:
        # Asked again under the lease, where it counts; who is refused then has waited for the tests in vain.
        refuse_beyond(world, subject.identity, subject.class_name)
    progress.say(f"{request.ref} at {request.revision[:12]} is deployed: {decided.why}")
    before = facts.record.deployed if facts.record else None
    with telling_what_still_serves(before, subject.settings.verify, progress), stoppable() as cancellation:
        _test(world, subject, run, cancellation)
        return _deploy(world, subject, run, cancellation)


def _deploy(world: World, subject: Subject, run: Run, cancellation: Cancellation) -> Report | Plan:
    """Under the lease, unless something newer came meanwhile."""

    asked = time.monotonic()

    def superseded() -> str | None:
        nonlocal asked
        if time.monotonic() - asked < ASK_AGAIN:
            return None
        asked = time.monotonic()
        try:
            skip = outdated(_order(world, subject.request, world.remote.tip))
        except UnreachableError:
            return None  # a remote that is silent for a moment is asked again; at the latest under the lease
        return skip.why if skip else None

    try:
        with hold(
            world,
            subject.identity,
            run,
            patience=subject.request.patience,
            give_up=superseded,
            cancellation=cancellation,
        ) as held:
            # Remote, record and tombstone may have changed while this run tested and waited.
            facts = _facts(world, subject, run=run)
            decided = decide(facts)
            return _apply(held, subject, facts.record) if isinstance(decided, Go) else decided
    except GaveUpError as gave_up:
        return Skip(str(gave_up))


def _apply(held: Held, subject: Subject, before: Record | None) -> Report:
    """Under the lease: repair, converge, verify, remember."""
    world, identity, run, request = held.world, held.identity, held.run, subject.request
    attempt = Attempt(run=run.id, action=run.action, revision=request.revision, started=_now())
    record = _begun(before, subject, attempt)
    if before is None:
        admit(world, identity, subject.class_name, record, held.lease.check)
    with held.remembering(record):
        held.lease.check()
        world.records.clear(identity)
        engine = held.program(world.repository, request.revision)
        with world.progress.phase("repair"):
            repaired = held.repair(engine)
        refuse_ending(subject.cls, identity.ref, engine, world.progress)
        with watched(held) as watcher:
            with world.progress.phase("apply"):
                result = converge(held, engine, watcher)
            deployed = _deployed(subject, result)
            known = before.deployed.url if before and before.deployed else None
            verified(held, deployed.url, request.revision, subject.settings, known=known)
    record = held.remember(record.model_copy(update={"deployed": deployed, "asleep": False}), Outcome.SUCCEEDED)
    world.progress.done(f"{request.ref} at {request.revision[:12]} is served at {deployed.url}")
    return _report(world, request, Result.DEPLOYED, record, repaired=repaired)


def _outdated(world: World, request: Request) -> Skip | None:
    """Why something newer is to be deployed instead, where what would be built is the commit that this run is for.

    Raises:
        SettingsError: the ref belongs to no class.
        RefError: another commit is checked out, or tracked files differ from it.
    """
    world.policy.class_of(request.ref)
    _refuse_other_content(world, request)
    # The remote said where the branch is when it was asked for the policy; under the lease it is asked again.
    return outdated(_order(world, request, world.trusted.tip))


def _refuse_other_content(world: World, request: Request) -> None:
    head = repository.read_head(world.repository).commit
    if head != request.revision:
        raise RefError(
            f"This run is to deploy {request.ref} at {request.revision[:12]}, but {head[:12]} is checked out, which "
            "would be built. Check that commit out; a CI may have made a merge for a pull request (GitHub: `ref: "
            "${{ github.event.pull_request.head.sha }}` at actions/checkout). Nothing was touched."
        )
    if changed := _changed(world):
        raise RefError(
            f"tracked files differ from the commit {head[:12]} ({changed}), so it is not what would be deployed: "
            "commit or stash them, or use `pulumi up`, which takes the files as they are. Nothing was touched."
        )


def _test(world: World, subject: Subject, run: Run, cancellation: Cancellation) -> None:
    """Run the application's tests, if it has any; what is built afterwards is still the commit.

    Raises:
        FailedTestsError: they failed.
        RefError: they changed tracked files, which would be built.
    """
    if (tests := subject.settings.tests) is None:
        return
    progress = world.progress
    with progress.phase("tests"):
        tests_command.run_tests(tests, world.repository, world.environ, cancellation, run, say=progress.quote)
    if changed := _changed(world):
        raise RefError(
            f"the application's tests changed tracked files ({changed}), so what would be built is not the commit "
            f"{subject.request.revision[:12]} any more. Have them write only what git ignores. Nothing was touched."
        )


def _changed(world: World) -> str:
    """Which tracked files are not those of the commit, as a person reads it; empty when all are."""
    changed = repository.changed_files(world.repository)
    return ", ".join(map(one_line, changed[:SHOWN])) + (", …" if len(changed) > SHOWN else "")


def _subject(world: World, request: Request) -> Subject:
    identity = world.identity(request.ref)
    class_name = world.policy.class_name_of(request.ref)
    cls = world.policy.classes[class_name]
    settings = ApplicationSettings.load(world.repository)
    trees = stage(world.repository, settings, world.repository / STAGE)
    # Before the tests: what a class lacks is known sooner than what the application lacks. From here on this process
    # knows the values, and shows none.
    versions = check(secrets_manager, identity, settings, cls)
    digest = fingerprint(
        identity=identity,
        settings=settings,
        cls=cls,
        trees=trees,
        program=program_digest(world.repository, identity.stack, settings.images),
        secrets=versions,
        environ=world.environ,
    )
    return Subject(identity, class_name, cls, settings, request, digest)


def _order(world: World, request: Request, tip: Tip) -> Facts:
    """What decides whether this run is still the one to go on."""
    return Facts(
        ref=request.ref,
        wanted=request.revision,
        tip=tip(request.ref),
        now=_now(),
        pinned=request.pinned,
        tombstone=world.records.tombstone(world.identity(request.ref)),
        recreate=request.recreate,
    )


def _facts(world: World, subject: Subject, tip: Tip | None = None, run: Run | None = None) -> Facts:
    """What is known of the environment; `run` is the one that holds it already."""
    order = _order(world, subject.request, tip or world.remote.tip)
    record = world.records.get(subject.identity)
    serves = busy = False
    if record and record.deployed and record.deployed.fingerprint == subject.fingerprint and not record.asleep:
        serves = _serves(world, subject, record.deployed)
        # Asked last: a run that takes the lease from now on asks the remote again before it destroys anything.
        lease = world.leases.read(subject.identity)
        busy = lease is not None and lease.live and (run is None or lease.holder != run.id)
    return replace(order, record=record, fingerprint=subject.fingerprint, healthy=serves, busy=busy)


def _serves(world: World, subject: Subject, deployed: Deployed) -> bool:
    """Whether what was deployed last answers, all of it, at its address."""
    at_once = subject.settings.verify.model_copy(update={"timeout": 1})
    try:
        if not healthy(world.cluster, subject.identity):
            return False
        answers(world.cluster, subject.identity, deployed.url, deployed.revision, at_once, known=deployed.url)
    except DeploymentError:
        return False
    return True


def _begun(before: Record | None, subject: Subject, attempt: Attempt) -> Record:
    """The record as it is while the run works."""
    identity, pushed = subject.identity, attempt.started
    # Who wakes it wants to use it, also by a commit that is no new push.
    if before is not None and not before.asleep:
        pushed = before.asked_for(attempt).pushed
    record = Record(
        project=identity.project,
        ref=identity.ref,
        stack=identity.stack,
        namespace=identity.namespace,
        environment_class=subject.class_name,
        pushed=pushed,
        deployed=before.deployed if before else None,
        asleep=before.asleep if before else None,
        keep_until=before.keep_until if before else None,
    )
    return record.begun(attempt, asleep=False)


def _deployed(subject: Subject, result: EngineResult) -> Deployed:
    outputs = result.outputs
    images = tuple(str(outputs[name]) for name in ("base_image", "app_image") if outputs.get(name))
    return Deployed(
        revision=subject.request.revision,
        fingerprint=subject.fingerprint or "",
        url=url_of(result, subject.identity),
        images=images,
        verified=_now(),
        secret_versions=versions_of(result),
    )


def _nothing_done(world: World, request: Request, decided: Plan) -> Report:
    match decided:
        case AlreadyServed(serving=serving, url=url):
            same = "" if serving == request.revision else f", whose content is that of {request.revision[:12]}"
            reason = f"nothing to do: {url} serves {serving[:12]}{same}"
            # That a push came is remembered since it did: see `remembering_push`.
            if (record := world.records.get(world.identity(request.ref))) is None:
                raise DeploymentError(
                    f"{request.ref} was being served, and was destroyed in this moment. Run it again to deploy it."
                )
            world.progress.done(reason)
            return _report(world, request, Result.UNCHANGED, record, reason=reason)
        case Skip(why=why):
            world.progress.say(f"skipped: {why}")
            return _report(world, request, Result.SKIPPED, None, reason=why)
    raise AssertionError(decided)  # `Go` is something to do


def _report(
    world: World,
    request: Request,
    outcome: Result,
    record: Record | None,
    *,
    reason: str | None = None,
    repaired: tuple[str, ...] = (),
) -> Report:
    deployed = record.deployed if record else None
    return Report(
        action=Action.DEPLOY,
        ref=request.ref,
        stack=world.identity(request.ref).stack,
        outcome=outcome,
        revision=deployed.revision if deployed else request.revision,
        url=deployed.url if deployed else None,
        reason=reason,
        seconds=dict(world.progress.seconds),
        repaired=repaired,
        expires=expiry(record, world.policy.class_of(request.ref)) if record and deployed else None,
    )


def _now() -> datetime:
    return datetime.now(UTC)
