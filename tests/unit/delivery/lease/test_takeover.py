"""Taking over the lease of who died: after its expiry, and not before."""

from datetime import timedelta

import pytest

from deploytag.delivery.lease.state import claimed
from tests.unit.delivery.lease.fake_leases import EPOCH, LeaseServer, leases
from tests.unit.delivery.lease.runs import IDENTITY, a_run, left_behind, take
from tests.unit.delivery.lease.simulation import Process, World


def test_who_died_is_taken_over_after_the_expiry_and_not_before(world: World, server: LeaseServer) -> None:
    run, deadlines, got = a_run(), list[float](), list[float]()

    def die(process: Process) -> None:
        with take(server, process, run) as lease:
            lease.on_renewed(lambda deadline: deadlines.append(process.when(deadline)))
            lease.engine_started(77)
            process.sleep(1000)

    def wait(process: Process) -> None:
        with take(server, process) as lease:
            got.append(world.time)
            assert lease.previous is not None
            assert lease.previous.run == run
            assert [(engine.host, engine.pid) for engine in lease.engines] == [("runner-1", 77)]
            state = leases(server, process).read(IDENTITY)
            assert state is not None
            assert state.transitions == 1
            lease.engines_ended()
            assert lease.engines == ()

    victim = world.process(die)
    world.at(40, victim.kill)
    world.process(wait, start=10)
    world.run()
    last_renewal = deadlines[-1] - 24
    assert last_renewal + 30 <= got[0] < last_renewal + 30 + 1
    assert server.stored == {}


def test_who_died_long_ago_is_taken_over_at_once(world: World, server: LeaseServer) -> None:
    left_behind(server, claimed(IDENTITY, a_run(), 30, None, EPOCH - timedelta(seconds=331)))

    def main(process: Process) -> None:
        with take(server, process, patience=0) as lease:
            assert lease.previous is not None

    world.process(main)
    world.run()


@pytest.mark.parametrize("tells_time", [True, False])
def test_whether_somebody_died_is_not_told_by_the_hosts_clock(
    world: World, server: LeaseServer, tells_time: bool
) -> None:
    server.tells_time = tells_time
    long_ago = timedelta(minutes=5) if tells_time else timedelta(days=365)
    left_behind(server, claimed(IDENTITY, a_run(), 30, None, EPOCH - long_ago))

    def main(process: Process) -> None:
        with take(server, process):
            assert world.time >= 30

    world.process(main)
    world.run()
