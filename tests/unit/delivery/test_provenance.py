"""Whose commit is declared again, and whose is not."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from deploytag.delivery.lifetime import TOMBSTONE_AGE
from deploytag.delivery.provenance import hindrance
from deploytag.delivery.record import Deployed, Tombstone
from deploytag.identity import identify

IDENTITY = identify("shop", "feature/test")
NOW = datetime.now(UTC)
OWN, TIP, OTHERS = "a" * 40, "b" * 40, "c" * 40


def world(stone: Tombstone | None = None) -> Any:
    remote = SimpleNamespace(holds=lambda tip, commit: tip == TIP and commit in (OWN, TIP))
    return SimpleNamespace(remote=remote, records=SimpleNamespace(tombstone=lambda _: stone))


def deployed(revision: str) -> Deployed:
    return Deployed(revision=revision, fingerprint="f", url="http://x", images=(), verified=NOW)


def stone(age: timedelta) -> Tombstone:
    return Tombstone(project="shop", ref=IDENTITY.ref, tip=TIP, destroyed=NOW - age, run="r")


@pytest.mark.parametrize("revision", [OWN, TIP])
def test_a_commit_of_the_branch_may_be_run(revision: str) -> None:
    assert hindrance(world(), IDENTITY, deployed(revision), TIP) is None


def test_another_branchs_commit_is_not_run_whatever_the_record_says() -> None:
    """Everybody who deploys the project may write its records."""
    said = hindrance(world(), IDENTITY, deployed(OTHERS), TIP)
    assert said is not None
    assert "cccccccccccc, which is said to be deployed for feature/test, is no commit of that branch" in said


def test_a_branch_that_is_gone_has_no_commits() -> None:
    assert "is gone from the remote" in (hindrance(world(), IDENTITY, deployed(OWN), None) or "")


def test_what_was_destroyed_on_purpose_does_not_come_back() -> None:
    assert "was destroyed on purpose" in (hindrance(world(stone(timedelta(0))), IDENTITY, deployed(OWN), TIP) or "")
    assert hindrance(world(stone(TOMBSTONE_AGE + timedelta(hours=1))), IDENTITY, deployed(OWN), TIP) is None
