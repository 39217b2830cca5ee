"""A lease as an object of the API, and what such an object says, whoever wrote it."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploytag.api import Object
from deploytag.delivery.lease.encoding import ENGINES, LONGEST, PID, object_of, state_of
from deploytag.delivery.lease.state import EngineProcess, claimed
from deploytag.delivery.run import Action, Run
from deploytag.documents import DocumentError
from deploytag.identity import identify

IDENTITY = identify("shop", "feature/test")
RUN = Run("1" * 32, Action.DEPLOY, "a" * 40, "host", "boot/pid:[1]", 42)
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
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
    spec = object_of(IDENTITY, claimed(IDENTITY, RUN, 30, None, now))["spec"]
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
