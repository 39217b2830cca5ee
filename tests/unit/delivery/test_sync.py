"""What `sync` decides about an environment."""

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from deploytag.delivery.record import Deployed, Record
from deploytag.delivery.sync import Current, Move, Skip, decide

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
