"""What is written down around a run's work, and what of the engines it started is remembered."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import pytest

from deploytag.delivery import hold as holding
from deploytag.delivery import idle
from deploytag.delivery.cluster import Cluster
from deploytag.delivery.hold import Held, hold
from deploytag.delivery.lease.acquire import EngineProcess
from deploytag.delivery.processes.children import Children
from deploytag.delivery.processes.leftovers import stuck
from deploytag.delivery.record import Attempt, Deployed, Outcome, Record
from deploytag.delivery.records import Records
from deploytag.delivery.run import MARK, Action, Run
from deploytag.errors import DeploymentError, DeployTagError, LeftoverError, UnreachableError, UsageError
from deploytag.identity import identify
from tests.unit.delivery.fake_config_maps import ConfigMaps

IDENTITY = identify("shop", "feature/test")
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
ENGINE = EngineProcess("h", 7, NOON)
INHERITED = EngineProcess("h", 6, NOON)


@dataclass
class FakeLease:
    """A lease that writes down what it is told."""

    previous: Any = None
    engines: tuple[EngineProcess, ...] = ()
    left_to_next: Run | None = None

    def check(self) -> None: ...

    def on_renewed(self, callback: Any) -> None: ...

    def engines_ended(self) -> None:
        self.engines = ()

    def leave_to_next(self, run: Run) -> None:
        self.left_to_next = run

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...


@dataclass
class FakeWorld:
    """As much of the world as holding it takes."""

    lease: FakeLease
    records: Records = field(default_factory=lambda: Records(Cluster(ConfigMaps())))
    environ: dict[str, str] = field(default_factory=dict)
    store: Any = None
    progress: Any = field(default_factory=lambda: SimpleNamespace(say=lambda _: None, warn=lambda _: None))

    @property
    def leases(self) -> Any:
        return SimpleNamespace(acquire=lambda *_, **__: self.lease)

    def identity(self, ref: str) -> Any:
        return identify("shop", ref)


def record(**more: object) -> Record:
    deployed = Deployed(revision="a" * 40, fingerprint="f", url="http://x", images=(), verified=NOON)
    return Record(
        project="shop",
        ref=IDENTITY.ref,
        stack=IDENTITY.stack,
        namespace=IDENTITY.namespace,
        pushed=NOON,
        deployed=deployed,
        attempt=Attempt(run="r", action=Action.DEPLOY, revision="a" * 40, started=NOON),
    ).model_copy(update=more)


@contextmanager
def held(world: Any) -> Iterator[Held]:
    with hold(world, IDENTITY, Run.start(Action.DEPLOY, None)) as it:
        yield it


def test_what_is_kept_while_a_run_works_stays_kept() -> None:
    world: Any = FakeWorld(FakeLease())
    with held(world) as it:
        with it.remembering(record()):
            until = idle.keep(world, IDENTITY.ref, timedelta(days=3))
        ended = it.remember(record(asleep=True), Outcome.SUCCEEDED)
    assert ended.keep_until == until
    assert ended.asleep
    assert ended == world.records.get(IDENTITY)


def test_keeping_changes_nothing_else() -> None:
    world: Any = FakeWorld(FakeLease())
    with pytest.raises(UsageError, match="nothing is known to be deployed"):
        idle.keep(world, IDENTITY.ref, timedelta(days=3))
    world.records.update(IDENTITY, lambda _: record())
    read = world.records.get

    def meanwhile(identity: Any) -> Record | None:
        found: Record | None = read(identity)
        world.records.update(identity, lambda now: now.model_copy(update={"asleep": True}))
        return found

    world.records.get = meanwhile
    until = idle.keep(world, IDENTITY.ref, timedelta(days=3))
    assert read(IDENTITY) == record(asleep=True, keep_until=until)


@pytest.mark.parametrize("error", [None, LeftoverError("a volume"), DeploymentError("no")])
@pytest.mark.parametrize("killed", [False, True])
def test_engines_are_forgotten_when_nothing_was_killed(error: Exception | None, killed: bool) -> None:
    lease = FakeLease()
    world: Any = FakeWorld(lease)
    try:
        with held(world) as it:
            lease.engines = (ENGINE,)
            it.children.killed = killed
            if error:
                raise error
    except (LeftoverError, DeploymentError) as raised:
        assert raised is error
    assert lease.engines == ((ENGINE,) if killed else ())
    assert lease.left_to_next is None


@pytest.mark.parametrize(("locks", "remembered"), [([], False), (["a lock"], True), (UnreachableError("?"), True)])
def test_an_engine_whose_lock_is_still_there_is_remembered(locks: Any, remembered: bool) -> None:
    """Pulumi only complains when it cannot remove its lock; nobody else could tell it from a person's."""

    def found(*_: object) -> Any:
        if isinstance(locks, Exception):
            raise locks
        return locks

    lease = FakeLease()
    world: Any = FakeWorld(lease, store=SimpleNamespace(locks=found))
    with held(world):
        lease.engines = (ENGINE,)
    assert lease.engines == ((ENGINE,) if remembered else ())


def test_what_a_dead_run_left_is_not_forgotten_by_a_run_that_failed() -> None:
    """It may have failed before it came to repairing that."""
    previous = SimpleNamespace(run=None, engines=(INHERITED,))
    lease = FakeLease(previous, (INHERITED,))
    world: Any = FakeWorld(lease)
    with pytest.raises(DeploymentError), held(world):
        raise DeploymentError("no")
    assert len(lease.engines) == 1
    with held(world):
        pass
    assert not lease.engines


def test_who_could_not_be_ended_is_told_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    dead = replace(Run.start(Action.DEPLOY, None), id="dead")
    lease = FakeLease(SimpleNamespace(run=dead, engines=()))

    def end_leftovers(run: Run, patience: float) -> list[Any]:
        raise stuck([])

    monkeypatch.setattr(holding, "end_leftovers", end_leftovers)
    world: Any = FakeWorld(lease)
    with pytest.raises(LeftoverError), held(world):
        pass
    assert lease.left_to_next == dead


def test_what_this_run_could_not_end_is_told_to_the_next() -> None:
    lease = FakeLease()
    world: Any = FakeWorld(lease)
    with pytest.raises(LeftoverError), held(world) as it:
        it.children.stuck = it.children.killed = True
        raise stuck([])
    assert lease.left_to_next == it.run
    assert not Path(it.scratch).exists()
    assert isinstance(it.children, Children)


def marks(run: Run) -> list[str]:
    """What shows that this process makes the run."""
    names = []
    for file in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the one that lists them
            names.append(str(file.readlink()))
    return [name for name in names if f"{MARK}={run.id}" in name]


@pytest.mark.parametrize("error", [None, DeploymentError("no")])
def test_once_it_let_go_this_process_is_not_that_runs_any_more(error: Exception | None) -> None:
    """Whoever takes over what the run left ends its process; this one may long be at work on another environment."""
    seen: list[list[str]] = []

    class Lease(FakeLease):
        def __exit__(self, *_: object) -> None:
            seen.append(marks(it.run))

    world: Any = FakeWorld(Lease())
    try:
        with held(world) as it:
            seen.append(marks(it.run))
            if error:
                raise error
    except DeploymentError as kept:  # as by who goes on, and tells of all failures at the end
        assert kept.__traceback__
    assert [len(names) for names in seen] == [1, 0], "it shows the mark as long as it holds, and no longer"


def test_a_folder_that_somebody_made_for_the_run_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    run = Run.start(Action.DEPLOY, None)
    (tmp_path / f"deploytag-{run.id}").mkdir()
    world: Any = FakeWorld(FakeLease())
    with pytest.raises(DeployTagError, match="the application's tests, made it"), hold(world, IDENTITY, run):
        raise AssertionError("it is somebody else's")
    assert (tmp_path / f"deploytag-{run.id}").is_dir(), "and left alone"
