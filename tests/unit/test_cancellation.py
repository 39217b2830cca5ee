"""A run is asked to end once; whoever asks again is told."""

import os
import signal
from collections.abc import Iterator

import pytest

from deploytag.delivery.processes.cancellation import SIGNALS, Cancellation, cancel_on_signals


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Handlers of our own, which have to be there again afterwards."""

    def ours(number: int, _: object) -> None:
        raise AssertionError(f"signal {number}")

    before = {number: signal.signal(number, ours) for number in SIGNALS}
    yield
    assert {number: signal.signal(number, handler) for number, handler in before.items()} == dict.fromkeys(
        SIGNALS, ours
    )


def test_the_first_reason_counts() -> None:
    told: list[str] = []
    cancellation = Cancellation()
    assert Cancellation().reason is None
    with cancellation.telling(lambda: told.append("early")):
        cancellation.request("first")
        cancellation.request("second")
        with cancellation.telling(lambda: told.append("late")):
            assert cancellation.reason == "first"
    assert told == ["early", "late"]


def test_who_has_gone_is_not_told() -> None:
    told: list[str] = []
    cancellation = Cancellation()
    with cancellation.telling(lambda: told.append("gone")):
        pass
    cancellation.request("late")
    assert told == []


def test_a_part_ends_with_the_whole_and_not_the_other_way_round() -> None:
    whole = Cancellation()
    with whole.part() as first:
        first.request("a pod crashes")
    with whole.part() as second:
        assert (whole.requested, second.requested) == (False, False)
        whole.request("SIGTERM")
        assert second.reason == "SIGTERM"
    with whole.part() as third:
        assert third.reason == "SIGTERM"
    assert first.reason == "a pod crashes"


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_cancels_once(number: signal.Signals) -> None:
    again: list[str] = []
    with cancel_on_signals(Cancellation(), lambda number: again.append(number.name)) as cancellation:
        assert not cancellation.requested
        os.kill(os.getpid(), number)
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
    assert cancellation.reason == number.name
    assert again == ["SIGTERM", "SIGINT"]


def test_what_was_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with cancel_on_signals(Cancellation()) as cancellation:
            os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
    assert not cancellation.requested
