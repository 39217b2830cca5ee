"""Holding a lease: it is renewed, in the API server's time, through a short silence."""

from datetime import timedelta

import pytest

from tests.unit.delivery.lease.fake_leases import EPOCH, LeaseServer, leases
from tests.unit.delivery.lease.runs import IDENTITY, take
from tests.unit.delivery.lease.simulation import Process, World


def test_a_lease_is_renewed_as_long_as_it_is_held_and_callbacks_hear_of_it(world: World, server: LeaseServer) -> None:
    told: list[float] = []

    def main(process: Process) -> None:
        with take(server, process) as lease:
            lease.on_renewed(told.append)
            assert told == [lease.deadline]
            for _ in range(100):
                process.sleep(3)
                lease.check()
            assert told[-1] == lease.deadline

    world.process(main)
    world.run()
    assert told == sorted(told)
    assert len(told) > 300 / 6.2


def test_renewals_tell_the_api_servers_time_whatever_the_hosts_clock_says(world: World, server: LeaseServer) -> None:
    def main(process: Process) -> None:
        with take(server, process):
            process.sleep(100)
            state = leases(server, process).read(IDENTITY)
            assert state is not None
            assert state.renewed is not None
            assert abs(state.renewed - EPOCH - timedelta(seconds=world.time)) < timedelta(seconds=8)

    world.process(main)
    world.run()


def test_noting_an_engine_is_a_renewal(world: World, server: LeaseServer) -> None:
    def main(process: Process) -> None:
        with take(server, process) as lease:
            process.sleep(4)
            before = process.now()
            lease.engine_started(5)
            assert lease.deadline >= before + 24

    world.process(main)
    world.run()


@pytest.mark.parametrize("seconds", [1, 5, 9, 12])
def test_a_short_silence_is_survived(world: World, server: LeaseServer, seconds: float) -> None:
    def main(process: Process) -> None:
        with take(server, process) as lease:
            process.sleep(5)
            process.cut_off_until = world.time + seconds
            process.sleep(60)
            lease.check()

    world.process(main)
    world.run()
    assert server.stored == {}
