"""The table of what a deployment does: facts in, plan out."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploytag.delivery.decision import AlreadyServed, Facts, Go, Plan, Skip, decide, outdated
from deploytag.delivery.record import Attempt, Deployed, Outcome, Record, Tombstone
from deploytag.delivery.run import Action

OLD, NEW = "a" * 40, "b" * 40
NOW = datetime(2026, 3, 1, tzinfo=UTC)
URL = "http://203.0.113.7"


def record(*, revision: str = OLD, fingerprint: str = "same", asleep: bool = False) -> Record:
    deployed = Deployed(revision=revision, fingerprint=fingerprint, url=URL, images=(), verified=NOW)
    return Record(
        project="shop",
        ref="feature/test",
        stack="feature-test",
        namespace="shop-feature-test",
        pushed=NOW,
        deployed=deployed,
        asleep=asleep,
    )


def ended(outcome: Outcome) -> Record:
    attempt = Attempt(run="r", action=Action.DEPLOY, revision=NEW, started=NOW, outcome=outcome)
    return record().model_copy(update={"attempt": attempt})


def stone(tip: str | None, days: int = 0) -> Tombstone:
    return Tombstone(project="shop", ref="feature/test", tip=tip, destroyed=NOW - timedelta(days=days), run="r")


BASE = Facts(ref="feature/test", wanted=NEW, tip=NEW, now=NOW)
SERVED = replace(BASE, record=record(), fingerprint="same", healthy=True)

TABLE = {
    "the first push": (BASE, Go),
    "the branch is gone": (replace(BASE, tip=None), Skip),
    "gone, though a person named the commit": (replace(BASE, tip=None, pinned=True), Skip),
    "a newer push came": (replace(BASE, wanted=OLD), Skip),
    "an older commit that a person named": (replace(BASE, wanted=OLD, pinned=True), Go),
    "destroyed at this commit": (replace(BASE, tombstone=stone(NEW)), Skip),
    "destroyed at this commit, to be brought back": (replace(BASE, tombstone=stone(NEW), recreate=True), Go),
    "destroyed at this commit 29 days ago": (replace(BASE, tombstone=stone(NEW, days=29)), Skip),
    "destroyed at this commit so long ago that nothing is late": (replace(BASE, tombstone=stone(NEW, days=31)), Go),
    "the same content, destroyed long ago": (replace(SERVED, tombstone=stone(NEW, days=31)), Go),
    "destroyed at an older commit": (replace(BASE, tombstone=stone(OLD)), Go),
    "destroyed when the branch was gone, and made again": (replace(BASE, tombstone=stone(None)), Go),
    "a late deployment of a branch that is gone": (replace(BASE, tip=None, tombstone=stone(None)), Skip),
    "the same content is served": (SERVED, AlreadyServed),
    "the same content, but a run works on it, which may destroy it": (replace(SERVED, busy=True), Go),
    "the same content, but being destroyed when the branch was made again": (
        replace(SERVED, tombstone=stone(None)),
        Go,
    ),
    "the same content, but it does not answer": (replace(SERVED, healthy=False), Go),
    "the same content, but asleep": (replace(SERVED, record=record(asleep=True)), Go),
    "the same content, after a run that succeeded": (
        replace(SERVED, record=ended(Outcome.SUCCEEDED)),
        AlreadyServed,
    ),
    "the content from before a run that failed": (replace(SERVED, record=ended(Outcome.FAILED)), Go),
    "the content from before a run that was interrupted": (replace(SERVED, record=ended(Outcome.INTERRUPTED)), Go),
    "the content from before a run that died": (replace(SERVED, record=ended(Outcome.RUNNING)), Go),
    "other content": (replace(SERVED, fingerprint="other"), Go),
    "content that cannot be told beforehand": (replace(SERVED, fingerprint=None), Go),
    "the same content of a superseded commit": (replace(SERVED, wanted=OLD), Skip),
    "the same content, destroyed at this commit": (replace(SERVED, tombstone=stone(NEW)), Skip),
}


@pytest.mark.parametrize(("facts", "expected"), TABLE.values(), ids=list(TABLE))
def test_the_table(facts: Facts, expected: type[Plan]) -> None:
    assert type(decide(facts)) is expected


def test_it_says_which_commit_serves() -> None:
    assert decide(SERVED) == AlreadyServed(serving=OLD, url=URL)


COMMITS = st.sampled_from([OLD, NEW])
STONES = st.none() | st.builds(stone, st.none() | COMMITS, st.integers(0, 60))
FACTS = st.builds(
    Facts,
    ref=st.just("feature/test"),
    wanted=COMMITS,
    tip=st.none() | COMMITS,
    now=st.just(NOW),
    pinned=st.booleans(),
    tombstone=STONES,
    recreate=st.booleans(),
    record=st.none() | st.builds(record, revision=COMMITS, fingerprint=st.sampled_from(["same", "other"])),
    fingerprint=st.sampled_from([None, "same"]),
    healthy=st.booleans(),
)


@given(FACTS)
def test_nothing_is_touched_for_a_ref_that_is_gone_or_a_commit_that_is_superseded(facts: Facts) -> None:
    if facts.tip is None or (facts.tip != facts.wanted and not facts.pinned):
        assert isinstance(decide(facts), Skip)


@given(FACTS)
def test_a_waiting_run_gives_up_exactly_when_a_new_one_would_not_begin(facts: Facts) -> None:
    assert (outdated(facts) is not None) == isinstance(decide(facts), Skip)
