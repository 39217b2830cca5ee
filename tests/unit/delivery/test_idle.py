"""What sleep and wake remember, and what they make of what others remembered."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from deploytag.api import CRON_JOBS, DEPLOYMENTS, STATEFUL_SETS, Listing
from deploytag.delivery import hold as holding
from deploytag.delivery import idle
from deploytag.delivery.again import Declared
from deploytag.delivery.cluster import Cluster
from deploytag.delivery.diagnosis.health import awake
from deploytag.delivery.hold import Held
from deploytag.delivery.record import Attempt, Deployed, Outcome, Record
from deploytag.delivery.report import Result
from deploytag.delivery.run import Action
from deploytag.errors import DeploymentError, RefError
from tests.unit.delivery.test_hold import IDENTITY, NOON, FakeLease, FakeWorld, record

REF = IDENTITY.ref


@dataclass
class FakeRemote:
    """Stands for the remote: where the branch is, and which other commits it has."""

    at: str | None = "b" * 40
    commits: tuple[str, ...] = ("a" * 40,)

    def tip(self, ref: str) -> str | None:
        return self.at

    def holds(self, tip: str, commit: str) -> bool:
        return commit == tip or commit in self.commits


@dataclass
class IdleWorld(FakeWorld):
    """As much of the world as a report takes, too."""

    progress: Any = field(
        default_factory=lambda: SimpleNamespace(
            say=lambda _: None, warn=lambda _: None, done=lambda _: None, seconds={}
        )
    )
    policy: Any = field(default_factory=lambda: SimpleNamespace(classes={}))
    remote: Any = field(default_factory=FakeRemote)
    cluster: Any = None


class Died(BaseException):
    """A SIGKILL: nothing is written any more."""


@dataclass
class Pods:
    """Stands for Pulumi: declares that the pods run or not, and may fail or die before or after it has."""

    asleep: bool = False
    end: BaseException | None = None
    too_early: bool = False
    declared: list[bool] = field(default_factory=list)
    unstoppable: tuple[str, ...] = ()

    def declare(self, held: Held, deployed: Deployed, *, asleep: bool = False) -> Declared:
        self.declared.append(asleep)
        if not self.too_early:
            self.asleep = asleep
        if self.end is not None:
            raise self.end
        return Declared(deployed, ())


@pytest.fixture
def pods(monkeypatch: pytest.MonkeyPatch) -> Pods:
    made = Pods()
    monkeypatch.setattr(idle, "declare_again", made.declare)
    monkeypatch.setattr(idle, "awake", lambda *_: made.unstoppable)
    ended = Held.remember

    def remember(self: Held, *arguments: Any) -> Record:
        if isinstance(made.end, Died):
            raise made.end
        return ended(self, *arguments)

    monkeypatch.setattr(holding.Held, "remember", remember)
    return made


def world_of(asleep: bool | None) -> Any:
    world = IdleWorld(FakeLease())
    succeeded = Attempt(
        run="r", action=Action.DEPLOY, revision="a" * 40, started=NOON, finished=NOON, outcome=Outcome.SUCCEEDED
    )
    world.records.update(IDENTITY, lambda _: record(attempt=succeeded, asleep=asleep))
    return world


def remembered(world: Any) -> bool | None:
    found = world.records.get(IDENTITY)
    assert found is not None
    return found.asleep  # type: ignore[no-any-return]


ACTIONS = {False: idle.wake, True: idle.sleep}


@pytest.mark.parametrize("end", [Died(), DeploymentError("no")])
@pytest.mark.parametrize("too_early", [False, True])
@pytest.mark.parametrize("asleep", [False, True])
def test_what_a_run_was_to_change_is_unknown_until_it_says_that_it_did(
    pods: Pods, asleep: bool, too_early: bool, end: BaseException
) -> None:
    """So that neither the same command nor its opposite takes the wish of a run that ended badly for the deed."""
    world = world_of(not asleep)
    pods.end, pods.too_early, pods.asleep = end, too_early, not asleep
    with pytest.raises(type(end)):
        ACTIONS[asleep](world, REF)
    assert remembered(world) is None
    pods.end, pods.too_early = None, False
    for wanted in (not asleep, asleep):
        assert ACTIONS[wanted](world, REF).outcome is (Result.ASLEEP if wanted else Result.AWAKE)
        assert (pods.asleep, remembered(world)) == (wanted, wanted)
    assert pods.declared == [asleep, not asleep, asleep]


def test_what_a_chart_does_not_stop_is_named(pods: Pods) -> None:
    pods.unstoppable = ("Deployment shop-redis",)
    report = idle.sleep(world_of(False), REF)
    assert (report.outcome, report.reason) == (Result.ASLEEP, "its chart does not stop Deployment shop-redis")
    assert idle.wake(world_of(True), REF).reason is None


def test_whatever_makes_pods_is_awake() -> None:
    def named(name: str, **spec: Any) -> dict[str, Any]:
        return {"metadata": {"name": name, "uid": name, "creationTimestamp": NOON.isoformat()}, "spec": spec}

    found = {
        DEPLOYMENTS: [named("web", replicas=0), named("redis")],
        STATEFUL_SETS: [named("search", replicas=2)],
        CRON_JOBS: [named("clean", suspend=True), named("mail")],
    }
    api: Any = SimpleNamespace(host="", list=lambda resource, _, **__: Listing(found[resource], "1"))
    assert awake(Cluster(api), IDENTITY) == ("Deployment redis", "StatefulSet search", "CronJob mail")


@pytest.mark.parametrize("asleep", [False, True])
def test_what_is_so_already_costs_nothing(pods: Pods, asleep: bool) -> None:
    world = world_of(asleep)
    before = world.records.get(IDENTITY)
    report = ACTIONS[asleep](world, REF)
    assert (report.outcome, report.reason) == (Result.UNCHANGED, f"{REF} is {'asleep' if asleep else 'awake'} already")
    assert pods.declared == []
    assert world.records.get(IDENTITY) == before


@pytest.mark.parametrize("asleep", [False, True])
@pytest.mark.parametrize(("tip", "why"), [(None, "is gone from the remote"), ("c" * 40, "is no commit of that branch")])
def test_what_the_branch_does_not_have_is_not_run(pods: Pods, tip: str | None, why: str, asleep: bool) -> None:
    world = world_of(not asleep)
    world.remote = FakeRemote(tip, ())
    before = world.records.get(IDENTITY)
    with pytest.raises(RefError, match=why):
        ACTIONS[asleep](world, REF)
    assert pods.declared == []
    assert world.records.get(IDENTITY) == before


def test_who_wakes_it_wants_to_use_it(pods: Pods) -> None:
    """So its time without a push begins anew."""
    world = world_of(True)
    idle.wake(world, REF)
    woken = world.records.get(IDENTITY)
    assert woken.pushed > NOON
    idle.sleep(world, REF)
    assert world.records.get(IDENTITY).pushed == woken.pushed
