"""What every run that changes an environment does around its work: hold the lease, end what a dead run left, let go."""

import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from deploytag.delivery import recovery
from deploytag.delivery.build_log import BuildOutput
from deploytag.delivery.engine import Engine, write_project
from deploytag.delivery.events import Event
from deploytag.delivery.lease.acquire import Lease, LeaseState
from deploytag.delivery.processes.cancellation import Cancellation, cancel_on_signals
from deploytag.delivery.processes.children import Children
from deploytag.delivery.processes.leftovers import end_leftovers
from deploytag.delivery.record import BuildLog, Outcome, Record
from deploytag.delivery.run import Action, Run, SkippedError, Still
from deploytag.delivery.showing import show
from deploytag.delivery.world import World
from deploytag.errors import (
    BusyError,
    DeploymentError,
    DeployTagError,
    InterruptedRunError,
    LeftoverError,
    UnreachableError,
)
from deploytag.identity import Identity
from deploytag.redaction import redact
from deploytag.settings import POLICY_FILE
from deploytag.trust import POLICY_VARIABLE

PATIENCE = 1800.0
"""Seconds a run waits for another one of the same environment to end."""

GRACE = 20.0
"""Seconds that Pulumi has to end what it is doing when it is asked to."""

LEFTOVER_SECONDS = 30.0
"""Seconds until the processes of a dead run must be gone."""


@dataclass(frozen=True, slots=True)
class Held:
    """One environment, held by one run."""

    world: World
    identity: Identity
    run: Run
    lease: Lease
    children: Children
    cancellation: Cancellation
    scratch: Path
    """A folder of this run alone."""
    builds: BuildOutput = field(default_factory=BuildOutput)
    """What its builds print."""

    def program(self, folder: Path, revision: str, *, asleep: bool = False) -> Engine:
        """Pulumi with the program in `folder`, to declare the environment of `revision`; its stack exists."""
        # The one that this run goes by: the program would find it by the same rule, and perhaps a newer one.
        policy = self.scratch / POLICY_FILE
        policy.write_bytes(self.world.trusted.content)
        told = {
            POLICY_VARIABLE: str(policy),
            "DEPLOYTAG_BRANCH": self.identity.ref,
            "DEPLOYTAG_REVISION": revision,
            "DEPLOYTAG_ASLEEP": "true" if asleep else "",
        }
        engine, store = self._engine(folder, told), self.world.store
        if store is None or self.identity.stack not in store.stacks(self.identity.project):
            engine.ensure_stack()
        return engine

    def _engine(self, folder: Path, told: Mapping[str, str]) -> Engine:
        world = self.world
        tell = show(world.progress)

        def on_event(event: Event) -> None:
            tell(event)
            self.builds.listen(event)

        return Engine(
            stack=self.identity.stack,
            folder=folder,
            children=self.children,
            environ={**world.environ, **told},
            held=self.lease,
            cancellation=self.cancellation,
            on_event=on_event,
        )

    def engine_without_program(self) -> Engine:
        """Pulumi from state alone."""
        folder = self.scratch / "state-only"
        write_project(folder, self.identity.project)
        return self._engine(folder, {})

    def repair(self, engine: Engine) -> tuple[str, ...]:
        """Put right what a run that died had left; what was done, a sentence each.

        Raises:
            DeployTagError: it cannot be put right, or somebody else works on the environment.
        """
        world = self.world
        tools = recovery.Tools(
            identity=self.identity,
            repository=engine.folder,
            cluster=world.cluster,
            store=world.store,
            administrator=world.administrator,
            engine=engine,
            commands=self.children,
            lease=self.lease,
            protected=self._is_protected(),
            say=world.progress.say,
        )
        repaired = recovery.recover(tools, self.run.action)
        for sentence in repaired:
            world.progress.say(sentence)
        return tuple(repaired)

    def _is_protected(self) -> bool:
        """Whether what was deployed may not be done away with, not even to make it anew."""
        if self.run.action is Action.DESTROY:
            return False  # who may destroy it was asked before
        record = self.world.records.get(self.identity)
        return bool(record and record.deployed and self.world.policy.class_of(self.identity.ref).protected)

    def go_on(self) -> None:
        """Say whether to go on: to be asked again and again while something is waited for.

        Raises:
            BusyError: the lease is not provably held any more.
            InterruptedRunError: a signal asked the run to end.
        """
        self.lease.check()
        if self.cancellation.requested:
            raise interrupted(self.identity, self.cancellation)

    def remember(self, record: Record, outcome: Outcome, cause: str | None = None) -> Record:
        """Write down how the run ended; the record as it is now."""
        if record.attempt is None:
            raise ValueError("only a run that began can end")
        ended = {"finished": datetime.now(UTC), "outcome": outcome, "cause": redact(cause) if cause else None}
        return self._write(record.model_copy(update={"attempt": record.attempt.model_copy(update=ended)}))

    def _write(self, record: Record) -> Record:
        def over(now: Record | None) -> Record:
            # In each try: what was found since the last one may be the record of whoever has the lease by now.
            self.lease.check()
            return record.over(now) if now else record

        return self.world.records.update(self.identity, over)

    def keep_build_log(self) -> None:
        """Let `deploytag logs --build` show what this run's builds printed, wherever it is called."""
        if not self.builds.text:
            return
        world, identity = self.world, self.identity
        log = BuildLog(
            project=identity.project,
            ref=identity.ref,
            revision=self.run.commit,
            written=datetime.now(UTC),
            text=redact(self.builds.text),
        )
        try:
            self.lease.check()
            world.records.keep_build_log(identity, log)
        except DeployTagError as error:
            world.progress.warn(f"the build's output was not kept: {error}")

    @contextmanager
    def remembering(self, record: Record) -> Iterator[None]:
        """Write down that the run began and, unless it goes well, why it ended."""
        self._write(record)
        try:
            yield
        except BaseException as error:
            stopped = self.cancellation.requested and not isinstance(error, DeploymentError)
            outcome = Outcome.INTERRUPTED if stopped else Outcome.FAILED
            # Without the lease or the cluster nothing can be written; what ended the run is the thing to say.
            with suppress(DeployTagError):
                self.remember(record, outcome, first_line(error))
            raise


@contextmanager
def hold(
    world: World,
    identity: Identity,
    run: Run,
    *,
    patience: float = PATIENCE,
    give_up: Still = lambda: None,
    still: Still = lambda: None,
    cancellation: Cancellation | None = None,
) -> Iterator[Held]:
    """The environment's lease, with nothing left of whoever held it before.

    The first signal to this process asks whatever runs to end; the lease is let go when it has. A `cancellation` that
    is given is one of `stoppable`, for a run that does something before.

    `give_up` is asked while it waits, `still` once it need not any more.

    Raises:
        SkippedError: `still` said why there is no point in it any more.
        GaveUpError: `give_up` said why there is no point in waiting any longer.
        BusyError: another run holds it for longer than `patience` seconds.
        InterruptedRunError: a signal came while it waited.
    """

    def no_point() -> str | None:
        if stop.requested:
            raise interrupted(identity, stop)
        return give_up()

    with (
        stoppable() if cancellation is None else nullcontext(cancellation) as stop,
        world.leases.acquire(
            identity, run, patience=patience, give_up=no_point, waiting=_tell(world.progress.say)
        ) as lease,
        _scratch(run) as scratch,
        # Before anything else: by it this process is found, should it be the next one that dies. And closed before the
        # lease is given back: who finds what this run left must not end what this process does by then.
        closing(Children(run, world.environ, lease, grace=GRACE)) as children,
    ):
        if dead := lease.previous.run if lease.previous else None:
            _end(dead, lease, world, run)
        try:
            _ask(still)
            yield Held(world, identity, run, lease, children, stop, scratch)
        except BaseException:
            # Without the lease nothing can be written; what ended the run is the thing to say.
            with suppress(BusyError):
                _let_go(world, identity, lease, children, run, failed=True)
            raise
        _let_go(world, identity, lease, children, run, failed=False)


def _ask(still: Still) -> None:
    if why_not := still():
        raise SkippedError(why_not)


def _end(dead: Run, lease: Lease, world: World, run: Run) -> None:
    """End what a dead run left on this machine.

    Raises:
        LeftoverError: it does not end; whoever holds the lease next is told of it again.
    """
    try:
        ended = end_leftovers(dead, LEFTOVER_SECONDS)
    except LeftoverError:
        lease.leave_to_next(dead)
        raise
    if ended:
        world.progress.warn(f"ended what a dead run had left: {', '.join(map(str, ended))}")
    if dead.machine == run.machine and dead.id.isalnum():
        shutil.rmtree(_scratch_folder(dead), ignore_errors=True)


def _let_go(world: World, identity: Identity, lease: Lease, children: Children, run: Run, *, failed: bool) -> None:
    """Leave to the next holder what it has to know: what does not end, and engines that may still have their locks."""
    if children.stuck:
        lease.leave_to_next(run)
    # A run that failed may not have come to repairing what those before it left.
    inherited = lease.previous.engines if lease.previous and failed else ()
    if not lease.engines or children.killed or set(inherited) & set(lease.engines):
        return
    # A lock that Pulumi could not give back is told from a person's by the engines that are remembered.
    if not _is_locked(world, identity):
        lease.engines_ended()


def _is_locked(world: World, identity: Identity) -> bool:
    try:
        return world.store is not None and bool(world.store.locks(identity.project, identity.stack))
    except UnreachableError:
        return True  # nobody knows


def _scratch_folder(run: Run) -> Path:
    """Where a run keeps what nobody needs afterwards. It bears the run's id, so that it is found should the run die."""
    return Path(tempfile.gettempdir()) / f"deploytag-{run.id}"


@contextmanager
def _scratch(run: Run) -> Iterator[Path]:
    folder = _scratch_folder(run)
    try:
        folder.mkdir(mode=0o700)
    except OSError as error:
        # What is there already may be somebody else's, and a run keeps its policy there.
        raise DeployTagError(
            f"this run cannot make the folder {folder} for itself: {error.strerror}. If it exists, something that the "
            "run started before, such as the application's tests, made it. Nothing was touched. Run the same again."
        ) from None
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def stoppable() -> Iterator[Cancellation]:
    """What the first SIGINT, SIGTERM or SIGHUP to this process asks to end; later ones change nothing."""
    with cancel_on_signals(Cancellation(), again=_still_ending) as cancellation:
        yield cancellation


def interrupted(identity: Identity, cancellation: Cancellation) -> InterruptedRunError:
    """What is said when a signal ended the run."""
    return InterruptedRunError(
        f"{identity.ref}: stopped by {cancellation.reason}; everything that ran has ended. Run it again to go on."
    )


def first_line(error: BaseException) -> str:
    """What a record keeps of a failure: a program's log may follow, and does not belong there."""
    return (str(error) or type(error).__name__).splitlines()[0]


def _still_ending(_: signal.Signals) -> None:
    # In a signal handler, which may have interrupted a `print`.
    os.write(2, b"already ending: waiting until what runs has ended\n")


def _tell(say: Callable[[str], None]) -> Callable[[LeaseState], None]:
    """Says who is waited for, once for each holder."""
    told: set[str] = set()

    def waiting(state: LeaseState) -> None:
        if state.said not in told:
            told.add(state.said)
            say(f"waiting for {state.said}")

    return waiting
