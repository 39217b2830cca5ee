"""Losing a lease: stopped, cut off, hung, or by somebody's hand; and it is never held again."""

import copy

import pytest

from deploytag.delivery.lease.acquire import Lease
from deploytag.errors import BusyError
from tests.unit.delivery.lease.fake_leases import LeaseServer
from tests.unit.delivery.lease.runs import NAME, holding, take
from tests.unit.delivery.lease.simulation import Process, World


def test_a_stopped_run_has_lost_its_lease_even_if_nobody_took_it(world: World, server: LeaseServer) -> None:
    told: list[float] = []

    def main(process: Process) -> None:
        with take(server, process) as lease:
            lease.on_renewed(told.append)
            process.sleep(15)
            deadline = lease.deadline
            process.stopped_until = world.time + 100
            process.sleep(1)
            with pytest.raises(BusyError, match=r"lost its lease of feature/test.*Run it again"):
                lease.check()
            assert lease.lost.is_set()
            process.sleep(30)
            assert told[-1] == lease.deadline == deadline, "it is never held again"
            with pytest.raises(BusyError):
                lease.engine_started(1)

    world.process(main)
    world.run()
    assert NAME in server.stored, "left to expire"


def test_a_stopped_run_learns_who_took_its_lease(world: World, server: LeaseServer) -> None:
    stopped: list[Lease] = []

    def main(process: Process) -> None:
        with take(server, process) as lease:
            stopped.append(lease)
            process.sleep(10)
            process.stopped_until = 200
            process.sleep(1)
            with pytest.raises(BusyError):
                lease.check()

    world.process(main)
    world.process(holding(server, 500), start=50)
    world.run(300)
    assert stopped[0].lost.is_set()
    assert server.stored[NAME]["spec"]["leaseTransitions"] == 1


def test_who_is_cut_off_holds_it_until_the_deadline_and_no_longer(world: World, server: LeaseServer) -> None:
    def main(process: Process) -> None:
        with take(server, process) as lease:
            process.sleep(10)
            process.cut_off_until = 1000
            end = process.when(lease.deadline)
            while world.time < end - 0.1:
                lease.check()
                assert not lease.lost.is_set()
                process.sleep(0.1)
            process.sleep(0.2)
            assert lease.lost.is_set()
            with pytest.raises(BusyError, match=r"could not be renewed in time.*did not answer"):
                lease.check()

    world.process(main)
    world.run()


def test_a_renewal_that_hangs_does_not_hide_the_deadline(world: World, server: LeaseServer) -> None:
    def main(process: Process) -> None:
        with pytest.raises(KeyError, match="the body's"), take(server, process) as lease:
            process.sleep(10)
            server.hangs = True
            assert process.wait(lease.lost, 30)
            assert process.now() >= lease.deadline
            raise KeyError("the body's")

    world.process(main)
    world.run()


def test_a_lease_that_somebody_removes_is_lost_and_stays_removed(world: World, server: LeaseServer) -> None:
    def main(process: Process) -> None:
        with take(server, process) as lease:
            server.delete(NAME)
            assert process.wait(lease.lost, 10)
            with pytest.raises(BusyError, match="somebody removed it"):
                lease.check()

    world.process(main)
    world.run()
    assert server.stored == {}


@pytest.mark.parametrize(("holder", "why"), [("9" * 32, "run 99999999.*holds it now"), ("", "somebody gave it back")])
def test_a_lease_that_somebody_edits_is_lost(world: World, server: LeaseServer, holder: str, why: str) -> None:
    def main(process: Process) -> None:
        with take(server, process) as lease:
            edited = copy.deepcopy(server.stored[NAME])
            edited["spec"]["holderIdentity"] = holder
            server.replace(edited)
            assert process.wait(lease.lost, 10)
            with pytest.raises(BusyError, match=why):
                lease.check()

    world.process(main)
    world.run()
    assert server.stored[NAME]["spec"]["holderIdentity"] == holder
