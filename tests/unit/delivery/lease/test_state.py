"""When a lease has expired, and how long it may be acted on: pure, by tables and properties."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploytag.delivery.lease.holding import ServerTime
from deploytag.delivery.lease.state import (
    EngineProcess,
    LeaseState,
    Observation,
    Timing,
    claimed,
    expired,
)
from deploytag.delivery.run import Action, Run
from deploytag.identity import identify

IDENTITY = identify("shop", "feature/test")
RUN = Run("1" * 32, Action.DEPLOY, "a" * 40, "host", "boot/pid:[1]", 42)
OTHER = replace(RUN, id="2" * 32, action=Action.DESTROY, commit=None)
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
HELD = replace(claimed(IDENTITY, OTHER, 30, None, NOON), uid="u", version="7", seen=NOON)
ENGINE = EngineProcess("host", 99, NOON)


@pytest.mark.parametrize(
    ("state", "watched", "is_expired"),
    [
        # watched in vain for less than its duration, and for that long
        (HELD, 29.9, False),
        (HELD, 30.0, True),
        (replace(HELD, duration=60), 59.9, False),
        (replace(HELD, duration=60), 60.0, True),
        # seen for the first time, as old as an API server's clock may be wrong, and older
        (replace(HELD, seen=NOON + timedelta(seconds=31)), 0.0, False),
        (replace(HELD, seen=NOON + timedelta(seconds=30, minutes=5)), 0.0, False),
        (replace(HELD, seen=NOON + timedelta(seconds=31, minutes=5)), 0.0, True),
        # an API server that is behind, or says no time; a lease that says none
        (replace(HELD, seen=NOON - timedelta(days=1)), 29.9, False),
        (replace(HELD, seen=None), 29.9, False),
        (replace(HELD, renewed=None, seen=NOON + timedelta(days=1)), 29.9, False),
        (replace(HELD, renewed=None, seen=None), 30.0, True),
        # given back
        (replace(HELD, holder=None), 0.0, True),
    ],
)
def test_when_a_lease_has_expired(state: LeaseState, watched: float, is_expired: bool) -> None:
    assert expired(state, Observation("7", 1000.0), 1000.0 + watched) is is_expired


def test_a_lease_is_watched_since_it_last_changed() -> None:
    first = Observation.of(None, HELD, 10.0)
    assert Observation.of(first, replace(HELD, seen=NOON + timedelta(minutes=1)), 25.0) == first
    renewed = Observation.of(first, replace(HELD, version="8"), 25.0)
    assert renewed.since == 25.0


@given(
    duration=st.integers(5, 600),
    started=st.floats(0, 1e9),
    until_seen=st.floats(0, 600),
    paces=st.tuples(st.floats(0.92, 1.08), st.floats(0.92, 1.08)),
)
def test_the_holder_stops_before_anybody_may_take_over(
    duration: int, started: float, until_seen: float, paces: tuple[float, float]
) -> None:
    holders, watchers = paces
    acts = (Timing(duration).deadline(started) - started) / holders
    watches = until_seen + (Observation("7", 0.0).expires(replace(HELD, duration=duration))) / watchers
    assert acts < watches


@pytest.mark.parametrize(
    ("duration", "deadline", "renewal"), [(5, 3.0, 1.0), (10, 8.0, 2.0), (30, 24.0, 6.0), (600, 480.0, 120.0)]
)
def test_a_holder_has_time_for_more_than_one_renewal(duration: int, deadline: float, renewal: float) -> None:
    timing = Timing(duration)
    assert timing.deadline(0.0) == deadline
    assert timing.renewal == renewal
    # one that gets no answer, the pause after it, and another one
    assert timing.renewal + timing.request + timing.retry < deadline


@pytest.mark.parametrize(
    ("found", "transitions", "engines"),
    [
        (None, 0, ()),
        (HELD, 1, ()),
        (replace(HELD, holder=None, engines=(ENGINE,)), 1, (ENGINE,)),
        (replace(HELD, engines=(ENGINE,), transitions=4), 5, (ENGINE,)),
        (replace(HELD, holder=RUN.id, run=RUN, transitions=4), 4, ()),
    ],
)
def test_what_is_claimed(found: LeaseState | None, transitions: int, engines: tuple[EngineProcess, ...]) -> None:
    claim = claimed(IDENTITY, RUN, 20, found, NOON)
    assert (claim.holder, claim.run, claim.duration, claim.acquired) == (RUN.id, RUN, 20, NOON)
    assert (claim.transitions, claim.engines) == (transitions, engines)
    assert (claim.uid, claim.version) == ((found.uid, found.version) if found else (None, None))


@pytest.mark.parametrize(
    ("state", "live"),
    [
        (HELD, True),
        (replace(HELD, seen=NOON + timedelta(seconds=30)), True),
        (replace(HELD, seen=NOON + timedelta(seconds=31)), False),
        (replace(HELD, seen=None), True),
        (replace(HELD, renewed=None), True),
        (replace(HELD, holder=None), False),
    ],
)
def test_whether_the_holder_seems_to_live(state: LeaseState, live: bool) -> None:
    assert state.live is live


def test_how_a_person_is_told() -> None:
    assert HELD.said == "destroy (run 22222222, process 42 on host) since 2026-01-02 12:00:00 UTC"
    assert replace(HELD, run=None, acquired=None).said == "run 22222222"
    assert replace(HELD, run=RUN, acquired=None).said == "run 22222222", "the annotations are another run's"


@given(st.lists(st.tuples(st.floats(0.01, 100), st.floats(0, 0.5), st.booleans()), max_size=20))
def test_the_api_servers_time_never_goes_back(answers: list[tuple[float, float, bool]]) -> None:
    now, told = 0.9, list[datetime]()
    time = ServerTime(NOON, now)
    for passed, latency, tells in answers:
        now += passed
        told.append(time.at(now))
        # Times have whole microseconds.
        assert now - 1 - 1e-6 <= (told[-1] - NOON).total_seconds() <= now + 1e-6
        # An answer says the second it was sent in, and comes a little later.
        said = NOON + timedelta(seconds=int(now)) if tells else None
        now += latency
        time = time.corrected(said, now)
    assert told == sorted(told)
