"""Waiting for who holds a lease: until it is given back, until one gives up, or until patience ends."""

import itertools

import pytest

from deploytag.delivery.lease.acquire import GaveUpError, LeaseState
from deploytag.errors import BusyError
from tests.unit.delivery.lease.fake_leases import LeaseServer
from tests.unit.delivery.lease.runs import a_run, holding, take
from tests.unit.delivery.lease.simulation import Process, World


def test_a_waiter_is_told_of_the_holder_once_and_has_a_released_lease_at_once(
    world: World, server: LeaseServer
) -> None:
    holder, heard, got = a_run(), list[LeaseState](), list[float]()

    def wait(process: Process) -> None:
        with take(server, process, waiting=heard.append) as lease:
            got.append(world.time)
            assert lease.previous is None

    world.process(holding(server, 50, holder))
    world.process(wait, start=10)
    world.run()
    assert [state.run for state in heard] == [holder]
    assert 50 < got[0] < 50.5


def test_where_nothing_can_be_watched_a_released_lease_is_found_all_the_same(world: World, server: LeaseServer) -> None:
    server.watchable = False
    got: list[float] = []

    def wait(process: Process) -> None:
        with take(server, process):
            got.append(world.time)

    world.process(holding(server, 50))
    world.process(wait, start=10)
    world.run()
    assert 50 < got[0] < 53
    assert server.log.count("watch") < 100, "without haste"


def test_a_waiter_gives_up_when_it_is_told_to(world: World, server: LeaseServer) -> None:
    asked: list[float] = []

    def wait(process: Process) -> None:
        def give_up() -> str | None:
            asked.append(world.time)
            return "superseded by 1234" if world.time > 30 else None

        with pytest.raises(GaveUpError) as gave_up:
            take(server, process, give_up=give_up)
        assert gave_up.value.reason == "superseded by 1234"
        assert 30 < world.time < 33

    world.process(holding(server, 50))
    world.process(wait, start=10)
    world.run()
    assert all(later - earlier < 2.5 for earlier, later in itertools.pairwise(asked))


def test_a_superseded_waiter_does_not_take_what_is_released(world: World, server: LeaseServer) -> None:
    def wait(process: Process) -> None:
        with pytest.raises(GaveUpError):
            take(server, process, give_up=lambda: "superseded" if not server.stored else None)

    world.process(holding(server, 50))
    world.process(wait, start=10)
    world.run()
    assert server.stored == {}


def test_patience_ends_with_who_holds_it(world: World, server: LeaseServer) -> None:
    def wait(process: Process) -> None:
        with pytest.raises(BusyError) as busy:
            take(server, process, patience=20)
        for said in ("feature/test", "deploy of cccccccccccc", "runner-1", "2026-01-02 03:04:05 UTC", "20 s", "30 s"):
            assert said in str(busy.value)
        assert 30 <= world.time < 33

    world.process(holding(server, 50))
    world.process(wait, start=10)
    world.run()
