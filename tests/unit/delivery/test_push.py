"""A push is remembered whatever becomes of it, and no other run's record is touched by that."""

import io
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from deploytag.delivery import deploy as delivery
from deploytag.delivery.cluster import Cluster
from deploytag.delivery.hold import hold
from deploytag.delivery.progress import Progress
from deploytag.delivery.push import remembering_push
from deploytag.delivery.record import Attempt, Outcome, Record
from deploytag.delivery.records import Records
from deploytag.delivery.run import Action, Run
from deploytag.errors import FailedTestsError, InterruptedRunError, RefError, SettingsError
from deploytag.settings import Policy
from tests.unit.checkout import Checkout
from tests.unit.delivery.fake_config_maps import ConfigMaps
from tests.unit.delivery.test_hold import IDENTITY, NOON, FakeLease, FakeWorld, record

REF = IDENTITY.ref
NEW = "b" * 40


@pytest.fixture
def records() -> Records:
    """A record of an environment that serves `a...`."""
    made = Records(Cluster(ConfigMaps()))
    ended = Attempt(run="r", action=Action.DEPLOY, revision="a" * 40, started=NOON, outcome=Outcome.SUCCEEDED)
    made.update(IDENTITY, lambda _: record(attempt=ended, asleep=False))
    return made


def read(records: Records) -> Record:
    found = records.get(IDENTITY)
    assert found is not None
    return found


def test_it_is_remembered_from_the_moment_it_came(records: Records) -> None:
    before, run, began = read(records), Run.start(Action.DEPLOY, NEW), datetime.now(UTC)
    with remembering_push(records, IDENTITY, run):
        now = read(records)
        assert now.pushed >= began
        assert now.push is not None
        assert (now.push.run, now.push.revision, now.push.outcome) == (run.id, NEW, Outcome.RUNNING)
    assert read(records) == before.model_copy(update={"pushed": now.pushed}), "it was skipped, which is no failure"


@pytest.mark.parametrize(
    ("error", "outcome", "cause"),
    [
        (
            FailedTestsError("the tests failed (exit code 1)\nassert 1 == 2"),
            Outcome.FAILED,
            "the tests failed (exit code 1)",
        ),
        (
            InterruptedRunError("the tests were stopped (SIGTERM)"),
            Outcome.INTERRUPTED,
            "the tests were stopped (SIGTERM)",
        ),
        (KeyboardInterrupt(), Outcome.INTERRUPTED, "KeyboardInterrupt"),
    ],
)
def test_what_failed_before_it_changed_anything_stays_visible(
    records: Records, error: BaseException, outcome: Outcome, cause: str
) -> None:
    before = read(records)
    with pytest.raises(type(error)), remembering_push(records, IDENTITY, Run.start(Action.DEPLOY, NEW)):
        raise error
    now = read(records)
    assert now.push is not None
    assert (now.push.outcome, now.push.cause) == (outcome, cause)
    assert cause in str(now.undeployed)
    assert now.model_copy(update={"push": None, "pushed": before.pushed}) == before


def test_no_record_is_made(records: Records) -> None:
    """Without an environment there is nothing to be idle, and a record alone would count as one."""
    records.delete(IDENTITY)
    with pytest.raises(FailedTestsError), remembering_push(records, IDENTITY, Run.start(Action.DEPLOY, NEW)):
        raise FailedTestsError("no")
    assert records.get(IDENTITY) is None


def test_a_newer_push_is_not_overwritten(records: Records) -> None:
    older, newer = (Run.start(Action.DEPLOY, revision) for revision in (NEW, "c" * 40))
    with pytest.raises(FailedTestsError), remembering_push(records, IDENTITY, newer):
        with pytest.raises(FailedTestsError), remembering_push(records, IDENTITY, older):
            records.amend(IDENTITY, lambda now: now.asked_for(_of(newer)))
            raise FailedTestsError("of the older")
        raise FailedTestsError("of the newer")
    push = read(records).push
    assert push is not None
    assert (push.run, push.cause) == (newer.id, "of the newer")


def _of(run: Run) -> Attempt:
    return Attempt(run=run.id, action=run.action, revision=run.commit, started=datetime.now(UTC))


def test_a_push_that_comes_while_another_run_works_is_in_the_record_afterwards(records: Records) -> None:
    world: Any = FakeWorld(FakeLease(), records)
    before = read(records)
    with hold(world, IDENTITY, Run.start(Action.SYNC, None)) as held:
        mine = before.begun(Attempt(run=held.run.id, action=Action.SYNC, revision="a" * 40, started=NOON), asleep=False)
        other = remembering_push(records, IDENTITY, Run.start(Action.DEPLOY, NEW))
        with held.remembering(mine), pytest.raises(FailedTestsError), other:
            assert read(records).attempt == mine.attempt
            raise FailedTestsError("the tests failed")
        held.remember(mine, Outcome.SUCCEEDED)
    now = read(records)
    assert now.attempt is not None
    assert (now.attempt.action, now.attempt.outcome) == (Action.SYNC, Outcome.SUCCEEDED)
    assert now.pushed > before.pushed
    assert "the tests failed" in str(now.undeployed)


# --- the flow of a push, as far as it goes without a cluster ----------------------------------------------------------

POLICY = Policy.model_validate(
    {
        "cluster": {"server": "https://cluster.test:6443"},
        "classes": {"feature": {"pattern": "feature/*", "secrets": [], "database": False, "migrations": False}},
    }
)


@dataclass
class Pushed(FakeWorld):
    """A checkout whose branch is at its commit."""

    repository: Path = Path()
    commit: str = ""
    policy: Policy = POLICY
    progress: Any = field(default_factory=lambda: Progress(io.StringIO()))

    @property
    def trusted(self) -> Any:
        return SimpleNamespace(tip=lambda _: self.commit, differs=lambda _: None)


@pytest.fixture
def pushed(checkout: Checkout, records: Records) -> Iterator[Callable[[Any], Any]]:
    def with_settings(settings: Any) -> Pushed:
        checkout.track(
            {
                "Dockerfile": "FROM scratch\n",
                "Dockerfile.base": "FROM scratch\n",
                "charts/app/Chart.yaml": "apiVersion: v2\nname: app\nversion: 0.1.0\n",
                "Pulumi.yaml": "name: shop\nruntime: python\n",
                "__main__.py": "",
                "deploytag.yaml": yaml.safe_dump(settings),
            }
        )
        return Pushed(FakeLease(), records, repository=checkout.path, commit=checkout.commit())

    yield with_settings


@pytest.mark.parametrize(
    ("settings", "error", "cause"),
    [
        ({"tests": {"command": [sys.executable, "-c", "raise SystemExit(7)"]}}, FailedTestsError, "exit code 7"),
        ({"no such key": 1}, SettingsError, "no such key"),
    ],
)
def test_whatever_keeps_a_push_from_being_deployed_it_came(
    pushed: Callable[[Any], Any], records: Records, settings: Any, error: type[Exception], cause: str
) -> None:
    """An environment to which somebody pushes every day is not idle."""
    world, before = pushed(settings), read(records)
    with pytest.raises(error, match=cause):
        delivery.deploy(world, delivery.Request(REF, world.commit))
    now = read(records)
    assert now.pushed > before.pushed
    assert now.undeployed is not None
    assert now.undeployed.startswith(world.commit[:12])
    assert now.model_copy(update={"push": None, "pushed": before.pushed}) == before


def test_a_push_that_was_superseded_moves_nothing(pushed: Callable[[Any], Any], records: Records) -> None:
    world, before = pushed({}), read(records)
    older, world.commit = world.commit, NEW
    assert delivery.deploy(world, delivery.Request(REF, older)).outcome == "skipped"
    assert read(records) == before


def test_a_commit_that_is_not_checked_out_is_never_called_superseded(
    pushed: Callable[[Any], Any], records: Records
) -> None:
    """As when a run by hand checks the branch out, and the CI's variable names the default branch's commit."""
    world = pushed({})
    with pytest.raises(RefError, match=f"{NEW[:12]}, but {world.commit[:12]} is checked out"):
        delivery.deploy(world, delivery.Request(REF, NEW))


def test_a_merge_that_a_ci_made_is_not_taken_for_what_was_pushed(
    pushed: Callable[[Any], Any], checkout: Checkout, records: Records
) -> None:
    """GitHub checks it out for a pull request unless told otherwise; its files are nobody's commit."""
    world, before = pushed({}), read(records)
    merge = checkout.commit()
    with pytest.raises(RefError, match=f"{REF} at {world.commit[:12]}, but {merge[:12]} is checked out"):
        delivery.deploy(world, delivery.Request(REF, world.commit))
    with pytest.raises(RefError, match="is checked out"):
        delivery.plan(world, delivery.Request(REF, world.commit))
    assert read(records) == before


def test_changed_files_are_not_taken_for_their_commit(
    pushed: Callable[[Any], Any], checkout: Checkout, records: Records
) -> None:
    world, before = pushed({}), read(records)
    checkout.write("untracked")
    checkout.write("Dockerfile", "FROM elsewhere\n")
    checkout.track({"deploytag.yaml": "images: {}\n"})
    with pytest.raises(RefError, match=rf"differ from the commit {world.commit[:12]} \(Dockerfile, deploytag\.yaml\)"):
        delivery.deploy(world, delivery.Request(REF, world.commit))
    assert read(records) == before


def test_what_tests_change_is_not_built_as_the_commit(pushed: Callable[[Any], Any], records: Records) -> None:
    world = pushed({"tests": {"command": ["sh", "-c", "echo FROM elsewhere > Dockerfile; touch untracked"]}})
    with pytest.raises(RefError, match=r"tests changed tracked files \(Dockerfile\)"):
        delivery.deploy(world, delivery.Request(REF, world.commit))
    assert str(read(records).undeployed).startswith(world.commit[:12])
