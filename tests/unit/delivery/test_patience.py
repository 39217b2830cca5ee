"""How long an address is waited for: minutes for a load balancer's new name, and else what the settings say."""

import pytest

from deploytag.delivery.diagnosis.patience import NAME_TICK, NEW_NAME, Patience


def given_up(timeout: float, reached: float | None, *, new_name: bool) -> tuple[float, int]:
    """When it is given up on something wrong, which can be reached from then on; and how often it was asked by then."""
    now, asked = 100.0, 0
    patience = Patience(timeout, now, new_name=new_name)
    while not patience.over(now):
        if patience.asks(now):
            asked += 1
            if reached is None or now - 100 < reached:
                patience.unreached(now)
        now += 0.25
    return now - 100, asked


@pytest.mark.parametrize("reached", [None, 0.0, 30.0])
def test_an_address_has_the_time_that_the_settings_give(reached: float | None) -> None:
    seconds, asked = given_up(60, reached, new_name=False)
    assert (seconds, asked) == (60, 240)


def test_a_new_name_has_it_from_when_it_can_be_reached() -> None:
    seconds, asked = given_up(60, 200.0, new_name=True)
    assert 250 <= seconds <= 260
    assert asked <= 200 / NAME_TICK + 1 + 60 / 0.25, "while nobody knows it, it is not asked for again and again"


@pytest.mark.parametrize(("runs", "seconds"), [(None, 360), (0, 60), (40, 100), (500, 360)])
def test_an_address_has_it_from_when_all_of_it_runs_or_ought_to(runs: float | None, seconds: float) -> None:
    now = 100.0
    patience = Patience(60, now, new_name=False, rollout=300)
    while not patience.over(now):
        if runs is None or now - 100 < runs:
            patience.rolls_out(now)
        now += 0.25
    assert seconds - 1 <= now - 100 <= seconds


@pytest.mark.parametrize("timeout", [1, 60, 3600])
def test_a_name_that_never_comes_is_given_up(timeout: float) -> None:
    seconds, _ = given_up(timeout, None, new_name=True)
    assert NEW_NAME <= seconds <= NEW_NAME + timeout + NAME_TICK
