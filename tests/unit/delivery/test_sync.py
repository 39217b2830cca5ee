"""What `sync` decides about an environment."""

import io
from collections.abc import Mapping
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, NoReturn, cast

import pytest

from deploytag.delivery import sync as syncing
from deploytag.delivery.progress import Progress
from deploytag.delivery.record import Deployed, Record
from deploytag.delivery.report import Report, Result
from deploytag.delivery.run import Action
from deploytag.delivery.secret_versions import Versions
from deploytag.delivery.sync import Current, Move, Skip, decide
from deploytag.delivery.world import World
from deploytag.errors import InterruptedRunError, SecretError, UsageError
from deploytag.identity import Identity, identify
from deploytag.settings import EnvironmentClass, Policy

REF = "feature/test"
NOW = datetime(2026, 11, 23, tzinfo=UTC)


def record(versions: Mapping[str, str] | None = None, *, deployed: bool = True, asleep: bool = False) -> Record:
    it = Deployed(
        revision="0123abcd",
        fingerprint="f",
        url="http://172.30.0.200",
        images=(),
        verified=NOW,
        secret_versions=dict(versions or {}),
    )
    return Record(
        project="shop",
        ref=REF,
        stack="feature-test",
        namespace="shop-feature-test",
        pushed=NOW,
        deployed=it if deployed else None,
        asleep=asleep,
    )


def never() -> Mapping[str, str]:
    raise AssertionError("Secrets Manager was asked for nothing")


@pytest.mark.parametrize(
    ("known", "there", "why"),
    [
        (None, True, "nothing is known to be deployed"),
        (record(deployed=False), True, "nothing is known to be deployed"),
        (record({"a": "1"}), False, "is gone from the remote"),
        (record({"a": "1"}, asleep=True), True, "sleeps"),
    ],
)
def test_what_is_left_as_it_is_costs_no_question(known: Record | None, there: bool, why: str) -> None:
    plan = decide(REF, known, there=there, newest=never)
    assert isinstance(plan, Skip)
    assert why in plan.why


@pytest.mark.parametrize(
    ("before", "now", "moved"),
    [
        ({"a": "1"}, {"a": "1"}, None),
        ({}, {}, None),
        ({"a": "1", "b": "1"}, {"a": "2", "b": "1"}, "a moved"),
        ({"a": "1"}, {"a": "1", "b": "1"}, "b moved"),
        ({"a": "1", "b": "1"}, {"b": "2"}, "a, b moved"),
        # Deployed before versions were remembered.
        ({}, {"a": "1"}, "a moved"),
    ],
)
def test_any_version_that_moved_is_reason_enough(
    before: dict[str, str], now: dict[str, str], moved: str | None
) -> None:
    known = record(before)
    plan = decide(REF, known, there=True, newest=lambda: now)
    if moved is None:
        assert isinstance(plan, Current)
    else:
        assert known.deployed is not None
        assert plan == Move(known.deployed, moved)


def test_another_branchs_commit_is_not_brought_its_secrets() -> None:
    """Who names one in a record would have it run with the credentials of the class."""
    known = record({"a": "1"})
    asked: list[tuple[str, str]] = []

    def holds(tip: str, commit: str) -> bool:
        asked.append((tip, commit))
        return False

    def nobody() -> NoReturn:
        raise AssertionError("Secrets Manager was asked for nothing")

    cls = EnvironmentClass(pattern="feature/*", secrets=(), database=False, migrations=False)
    world: Any = SimpleNamespace(
        policy=SimpleNamespace(class_of=lambda _: cls),
        identity=lambda ref: identify("shop", ref),
        records=SimpleNamespace(get=lambda _: known, tombstone=lambda _: None),
        remote=SimpleNamespace(tip=lambda _: "f" * 40, holds=holds),
        trusted=SimpleNamespace(tip=lambda _: "f" * 40),
    )
    plan = syncing.plan(world, REF, Versions(nobody))
    assert isinstance(plan, Skip)
    assert "0123abcd, which is said to be deployed for feature/test, is no commit of that branch" in plan.why
    assert asked == [("f" * 40, "0123abcd")]


def test_what_may_sleep_or_not_is_not_taken_to_sleep() -> None:
    """A push onto what slept failed, and its pods may run with the old versions."""
    known = record({"a": "1"}).model_copy(update={"asleep": None})
    assert isinstance(decide(REF, known, there=True, newest=lambda: {"a": "2"}), Move)


def test_one_that_fails_does_not_keep_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def one(world: World, ref: str, **_: object) -> Report:
        asked.append(ref)
        if ref == "feature/bad":
            raise SecretError("there is no secret staging/app")
        return Report(action=Action.SYNC, ref=ref, stack=None, outcome=Result.UNCHANGED)

    monkeypatch.setattr(syncing, "sync", one)
    world = cast("World", FakeWorld(["feature/good", "feature/bad", "feature/also"]))
    reports, errors = syncing.sync_all(world)
    assert asked == ["feature/also", "feature/bad", "feature/good"]
    assert [report.outcome for report in reports] == ["unchanged", "failed", "unchanged"]
    assert [str(error) for error in errors] == ["there is no secret staging/app"]


def test_a_signal_ends_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def one(world: World, ref: str, **_: object) -> Report:
        raise InterruptedRunError(f"{ref}: stopped by SIGTERM")

    monkeypatch.setattr(syncing, "sync", one)
    with pytest.raises(InterruptedRunError, match="feature/a"):
        syncing.sync_all(cast("World", FakeWorld(["feature/b", "feature/a"])))


def nothing(ref: str) -> Report:
    return Report(action=Action.SYNC, ref=ref, stack=None, outcome=Result.UNCHANGED)


def test_one_class_alone_is_brought_its_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the credentials of that class: each environment runs the program of its branch."""
    monkeypatch.setattr(syncing, "sync", lambda _, ref, **__: nothing(ref))
    world = FakeWorld(["feature/a", "epic/b", "feature/c", "chore/d"])
    world.policy = Policy.model_validate(
        {
            "cluster": {"server": "https://cluster.test:6443"},
            "classes": {
                name: {"pattern": f"{name}/*", "secrets": [], "database": False, "migrations": False}
                for name in ("feature", "epic")
            },
        }
    )
    reports, _ = syncing.sync_all(cast("World", world), "feature")
    assert [report.ref for report in reports] == ["feature/a", "feature/c"]
    with pytest.raises(UsageError, match="has no class featur: it has feature, epic"):
        syncing.sync_all(cast("World", world), "featur")


class FakeWorld:
    """As much of a world as telling its environments takes."""

    project = "shop"

    def __init__(self, refs: list[str]) -> None:
        self.refs = refs
        self.progress = Progress(io.StringIO())
        self.policy: Any = SimpleNamespace(classes={})

    @property
    def records(self) -> Any:
        known = [record({"a": "1"}).model_copy(update={"ref": ref}) for ref in self.refs]
        never = record(deployed=False).model_copy(update={"ref": "feature/never"})
        return SimpleNamespace(all=lambda _: [*known, never], get=lambda _: None)

    def identity(self, ref: str) -> Identity:
        return identify("shop", ref)
