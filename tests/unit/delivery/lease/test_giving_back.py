"""Giving a lease back: removed, or left to the next run with what may still be there."""

import logging
from datetime import timedelta

import pytest

from deploytag.delivery.lease.state import claimed
from tests.unit.delivery.lease.fake_leases import EPOCH, LeaseServer, leases
from tests.unit.delivery.lease.runs import IDENTITY, a_run, left_behind, take
from tests.unit.delivery.lease.simulation import Process, World


def test_engines_of_unknown_end_outlive_every_run(world: World, server: LeaseServer) -> None:
    def main(process: Process) -> None:
        for pid in (1, 2, 3):
            with take(server, process, patience=0) as lease:
                before = [engine.pid for engine in lease.engines]
                assert before == list(range(1, pid))
                lease.engine_started(pid)
                state = leases(server, process).read(IDENTITY)
                assert state is not None
                assert [engine.pid for engine in state.engines] == [*before, pid]
            left = leases(server, process).read(IDENTITY)
            assert left is not None
            assert (left.holder, left.live, len(left.engines)) == (None, False, pid)
        with take(server, process, patience=0) as lease:
            assert lease.previous is not None
            lease.engines_ended()
            state = leases(server, process).read(IDENTITY)
            assert state is not None
            assert state.engines == ()

    world.process(main)
    world.run()
    assert server.stored == {}


def test_who_could_not_be_ended_is_told_to_the_next(world: World, server: LeaseServer) -> None:
    dead = a_run()
    left_behind(server, claimed(IDENTITY, dead, 30, None, EPOCH - timedelta(days=1)))

    def main(process: Process) -> None:
        for _ in range(2):
            with take(server, process, patience=0) as lease:
                assert lease.previous is not None
                assert lease.previous.run == dead
                lease.leave_to_next(dead)
        with take(server, process, patience=0) as lease:
            assert lease.previous is not None
            assert lease.previous.run == dead, "until somebody could end it"

    world.process(main)
    world.run()
    assert server.stored == {}


def test_what_the_body_failed_with_is_what_is_raised(
    world: World, server: LeaseServer, caplog: pytest.LogCaptureFixture
) -> None:
    def main(process: Process) -> None:
        with pytest.raises(KeyError, match="the body's"), take(server, process):
            server.refuse["delete"] = 500
            raise KeyError("the body's")

    world.process(main)
    with caplog.at_level(logging.WARNING):
        world.run()
    assert "was not given back, the next run waits 30 s" in caplog.text


def test_giving_back_is_tried_again(world: World, server: LeaseServer) -> None:
    def main(process: Process) -> None:
        with take(server, process):
            process.sleep(1)
            process.deafened_until = world.time + 5

    world.process(main)
    world.run()
    assert server.stored == {}
    assert server.log.count("delete") == 1, "the first was carried out, which a look shows"
