"""What a lease says, when it has expired and how long it may be acted on: pure, by tables and properties."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploytag.api import Object
from deploytag.delivery.lease.holding import ServerTime
from deploytag.delivery.lease.state import (
    ENGINES,
    LONGEST,
    PID,
    EngineProcess,
    LeaseState,
    Observation,
    Timing,
    claimed,
    expired,
    object_of,
    state_of,
)
from deploytag.delivery.run import Action, Run
from deploytag.documents import DocumentError
from deploytag.identity import identify

IDENTITY = identify("shop", "feature/test")
RUN = Run("1" * 32, Action.DEPLOY, "a" * 40, "host", "boot/pid:[1]", 42)
OTHER = replace(RUN, id="2" * 32, action=Action.DESTROY, commit=None)
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
HELD = replace(claimed(IDENTITY, OTHER, 30, None, NOON), uid="u", version="7", seen=NOON)
ENGINE = EngineProcess("host", 99, NOON)

times = st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(8000, 1, 1), timezones=st.just(UTC))
runs = st.builds(
    Run,
    id=st.uuids().map(lambda uuid: uuid.hex),
    action=st.sampled_from(Action),
    commit=st.none() | st.text("0123456789abcdef", min_size=40, max_size=40),
    host=st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1),
    machine=st.just("boot/pid:[1]"),
    pid=st.integers(1, 2**22),
)
engines = st.lists(st.builds(EngineProcess, host=st.text(), pid=st.integers(1), started=times)).map(tuple)


@given(runs, engines, times, st.integers(5, 600), st.booleans())
def test_what_is_written_is_read_again(
    run: Run, engines: tuple[EngineProcess, ...], now: datetime, duration: int, held: bool
) -> None:
    state = replace(claimed(IDENTITY, run, duration, None, now), engines=engines, uid="u", version="7")
    state = state if held else replace(state, holder=None)
    assert state_of(json.loads(json.dumps(object_of(IDENTITY, state))), None) == state


@given(times)
def test_times_are_written_as_the_api_server_takes_them(now: datetime) -> None:
    spec = object_of(IDENTITY, replace(HELD, renewed=now, acquired=now))["spec"]
    for name in ("renewTime", "acquireTime"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", spec[name]), "always with microseconds"


@pytest.mark.parametrize(
    ("notes", "run", "engines"),
    [
        ({}, None, ()),
        ({PID: "no number"}, None, ()),
        ({ENGINES: "no JSON"}, RUN, ()),
        ({ENGINES: '[{"host": "h"}]'}, RUN, ()),
        ({ENGINES: "null"}, RUN, ()),
    ],
)
def test_what_somebody_else_wrote_is_read_with_leniency(
    notes: dict[str, str], run: Run | None, engines: tuple[EngineProcess, ...]
) -> None:
    written = object_of(IDENTITY, claimed(IDENTITY, RUN, 30, None, NOON))["metadata"]["annotations"]
    state = state_of({"metadata": {"annotations": {**written, **notes} if notes else {}}}, NOON)
    assert (state.run, state.engines, state.duration, state.holder) == (run, engines, LONGEST, None)


@pytest.mark.parametrize(
    "lease",
    [
        {},
        {"metadata": None, "spec": None},
        {"metadata": {"annotations": None}, "spec": {"holderIdentity": "", "renewTime": None}},
    ],
)
def test_an_empty_lease_is_nobodys(lease: Object) -> None:
    state = state_of(lease, None)
    assert state.holder is None
    assert not state.live
    assert not state.owned_by(IDENTITY)


@pytest.mark.parametrize(
    ("lease", "odd"),
    [
        ({"metadata": "x"}, "metadata"),
        ({"metadata": {"annotations": {"deploytag.dev/ref": 5}}}, "metadata.annotations.deploytag.dev/ref"),
        ({"spec": {"renewTime": "noon", "leaseDurationSeconds": 1 << 70}}, "spec.leaseDurationSeconds, spec.renewTime"),
    ],
)
def test_what_no_api_server_has_is_no_lease(lease: Object, odd: str) -> None:
    with pytest.raises(DocumentError, match=f"the answer is no Lease: {odd}"):
        state_of(lease, None)


@pytest.mark.parametrize(
    "time", ["0001-01-01T00:00:00.000000Z", "9999-12-31T23:59:59.000000Z", "2026-01-02T12:00:00.000000"]
)
def test_a_time_that_cannot_be_reckoned_with_is_none(time: str) -> None:
    state = state_of({"spec": {"acquireTime": time, "renewTime": time}}, NOON)
    assert (state.acquired, state.renewed) == (None, None)


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
        assert now - 1 <= (told[-1] - NOON).total_seconds() <= now
        # An answer says the second it was sent in, and comes a little later.
        said = NOON + timedelta(seconds=int(now)) if tells else None
        now += latency
        time = time.corrected(said, now)
    assert told == sorted(told)
