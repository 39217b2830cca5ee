"""Each write to an environment asks first whether its lease is still held: another run may have taken over."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from deploytag.delivery import admission, deploy, recovery
from deploytag.delivery.asking import ConflictError
from deploytag.delivery.caps import Facts, Present
from deploytag.delivery.cluster import Cluster
from deploytag.delivery.hold import Held
from deploytag.delivery.processes.cancellation import Cancellation
from deploytag.delivery.record import Attempt, Outcome, Record, Tombstone
from deploytag.delivery.records import Records
from deploytag.delivery.recovery import objects
from deploytag.delivery.recovery.repairs import DeleteObjects
from deploytag.delivery.recovery.state import ObjectName
from deploytag.delivery.run import Action, Run
from deploytag.delivery.store import StateStore
from deploytag.errors import BusyError, CapError
from deploytag.identity import identify
from deploytag.settings import Policy
from tests.unit.delivery.fake_config_maps import ConfigMaps

IDENTITY = identify("shop", "feature/test")
NOW = datetime(2026, 11, 23, tzinfo=UTC)
NONE = Facts((), None)
FULL = Facts((Present("feature/other", "feature", NOW),), None)


@dataclass
class Losing:
    """A lease that is lost after it was asked for so often."""

    checks: int
    engines: tuple[()] = ()

    def check(self) -> None:
        if not self.checks:
            raise BusyError("this run lost its lease")
        self.checks -= 1


@dataclass
class FakeWorld:
    """As much of the world as is written to."""

    api: ConfigMaps
    project = "shop"
    policy = Policy.model_validate(
        {
            "cluster": {"server": "https://cluster.test:6443"},
            "caps": {"environments": 1},
            "classes": {"feature": {"pattern": "feature/*", "secrets": [], "database": False, "migrations": False}},
        }
    )

    @property
    def cluster(self) -> Cluster:
        return Cluster(self.api)

    @property
    def records(self) -> Records:
        return Records(self.cluster)


@pytest.fixture
def world() -> FakeWorld:
    return FakeWorld(ConfigMaps())


def record(url: str = "http://x") -> Record:
    return Record(
        project="shop",
        ref=IDENTITY.ref,
        stack=IDENTITY.stack,
        namespace=IDENTITY.namespace,
        environment_class=url,
        pushed=NOW,
    )


OTHERS = record("as another run wrote it")


def admit(world: FakeWorld, lease: Losing) -> None:
    admission.admit(cast("Any", world), IDENTITY, "feature", record(), lease.check)


@contextmanager
def others_write(world: FakeWorld, monkeypatch: pytest.MonkeyPatch, there: Facts) -> Iterator[None]:
    """Whoever took over writes its record while this run looks at the caps."""

    def look(*_: object) -> Facts:
        world.records.update(IDENTITY, lambda _: OTHERS)
        return there

    monkeypatch.setattr(admission, "look", look)
    yield
    assert world.records.get(IDENTITY) == OTHERS


@pytest.mark.parametrize("there", [NONE, FULL], ids=["admitted", "refused"])
def test_a_first_push_that_lost_its_lease_leaves_the_record_of_whoever_has_it(
    world: FakeWorld, monkeypatch: pytest.MonkeyPatch, there: Facts
) -> None:
    with others_write(world, monkeypatch, there), pytest.raises(BusyError, match="lost its lease"):
        admit(world, Losing(0))


def test_nor_does_it_remove_that_record_when_its_turn_does_not_come(
    world: FakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "PATIENCE", 0)
    monkeypatch.setattr(admission, "look", lambda *_: NONE)

    def another_was_faster(*_: object) -> None:
        world.records.update(IDENTITY, lambda _: OTHERS)
        raise ConflictError("it has changed meanwhile")

    monkeypatch.setattr(admission, "_take", another_was_faster)
    with pytest.raises(BusyError, match="lost its lease"):
        admit(world, Losing(1))
    assert world.records.get(IDENTITY) == OTHERS


def test_one_that_holds_it_is_admitted_or_refused(world: FakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "look", lambda *_: NONE)
    admit(world, Losing(1))
    assert world.records.get(IDENTITY) == record()
    monkeypatch.setattr(admission, "look", lambda *_: FULL)
    with pytest.raises(CapError):
        admit(world, Losing(1))
    assert world.records.get(IDENTITY) is None


def test_a_tombstone_is_not_taken_away_by_who_lost_the_lease(world: FakeWorld) -> None:
    """Whoever has it may have destroyed the environment meanwhile."""
    tombstone = Tombstone(project="shop", ref=IDENTITY.ref, tip="a" * 40, destroyed=NOW, run="r")
    world.records.bury(IDENTITY, tombstone)
    lease: Any = Losing(1)
    nothing: Any = None
    held = Held(
        cast("Any", world), IDENTITY, Run.start(Action.DEPLOY, None), lease, nothing, Cancellation(), Path("none")
    )
    subject: Any = SimpleNamespace(
        identity=IDENTITY, class_name="feature", request=SimpleNamespace(ref=IDENTITY.ref, revision="a" * 40)
    )
    with pytest.raises(BusyError, match="lost its lease"):
        deploy._apply(held, subject, record())
    assert world.records.tombstone(IDENTITY) == tombstone


def test_each_try_to_write_a_record_asks_again(world: FakeWorld) -> None:
    """The first found that somebody was faster: that may have been whoever took the lease over."""
    world.records.update(IDENTITY, lambda _: OTHERS)
    attempt = Attempt(run="r", action=Action.DEPLOY, revision="a" * 40, started=NOW)
    ours = record().model_copy(update={"attempt": attempt})
    nothing: Any = None
    for began in (False, True):
        lease: Any = Losing(1)
        held = Held(
            cast("Any", world), IDENTITY, Run.start(Action.DEPLOY, None), lease, nothing, Cancellation(), Path("none")
        )
        world.api.interferences = 1
        with pytest.raises(BusyError, match="lost its lease"):
            if began:
                held.remember(ours, Outcome.SUCCEEDED)
            else:
                with held.remembering(ours):
                    raise AssertionError("it does not hold the environment")
        assert world.records.get(IDENTITY) == OTHERS


def test_of_many_objects_none_is_deleted_after_the_lease_was_lost(
    world: FakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = tuple(ObjectName("v1", "ConfigMap", IDENTITY.namespace, name) for name in "abc")
    deleted: list[ObjectName] = []
    monkeypatch.setattr(objects, "delete", lambda _, it: deleted.append(it))
    tools: Any = SimpleNamespace(lease=Losing(3), cluster=world.cluster, identity=IDENTITY)
    with pytest.raises(BusyError, match="lost its lease"):
        recovery.repair(tools, DeleteObjects(names))
    assert deleted == list(names[:2])


def test_half_written_files_of_the_state_are_those_of_whoever_has_the_lease(tmp_path: Path) -> None:
    torn = tmp_path / ".pulumi" / "stacks" / "shop" / f"{IDENTITY.stack}.json.attrs"
    torn.parent.mkdir(parents=True)
    torn.touch()
    store = StateStore.from_environ({"PULUMI_BACKEND_URL": tmp_path.as_uri()}, tmp_path)
    tools: Any = SimpleNamespace(lease=Losing(0), store=store, identity=IDENTITY)
    with pytest.raises(BusyError, match="lost its lease"):
        recovery.unlock(tools)
    assert torn.exists()
    tools.lease.checks = 1
    assert len(recovery.unlock(tools)) == 1
    assert not torn.exists()
