"""Runs that want the lease of one environment: the real code, in processes of a simulated world."""

from collections.abc import Callable
from uuid import uuid4

from deploytag.delivery.lease.acquire import Lease, LeaseState
from deploytag.delivery.lease.encoding import object_of
from deploytag.delivery.run import Action, Run
from deploytag.identity import Identity, identify
from tests.unit.delivery.lease.fake_leases import LeaseServer, leases
from tests.unit.delivery.lease.simulation import Process

IDENTITY = identify("shop", "feature/test")
NAME = IDENTITY.namespace


def a_run(action: Action = Action.DEPLOY, commit: str | None = "c" * 40) -> Run:
    return Run(uuid4().hex, action, commit, "runner-1", "boot/pid:[1]", 4242)


def take(
    server: LeaseServer,
    process: Process,
    run: Run | None = None,
    *,
    patience: float = 1000,
    give_up: Callable[[], str | None] = lambda: None,
    waiting: Callable[[LeaseState], None] = lambda _: None,
) -> Lease:
    return leases(server, process).acquire(
        IDENTITY, run or a_run(), patience=patience, give_up=give_up, waiting=waiting
    )


def holding(server: LeaseServer, seconds: float, run: Run | None = None) -> Callable[[Process], None]:
    """A process that holds the lease for some time."""

    def main(process: Process) -> None:
        with take(server, process, run):
            process.sleep(seconds)

    return main


def left_behind(server: LeaseServer, state: LeaseState, identity: Identity = IDENTITY) -> None:
    """A lease that is there already."""
    server.create(object_of(identity, state))
