"""A first push is admitted, or refused by the policy's caps: one at a time, so that two cannot both be the last.

An environment counts from the moment its record is written. So a run decides, writes its record, and then moves on the
one object that all first pushes of the project write: when somebody else did so since this run looked, it looks again.
"""

from collections.abc import Callable

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random

from deploytag.api import CONFIG_MAPS, Object
from deploytag.delivery import caps
from deploytag.delivery.asking import TIMEOUT, ConflictError, asking
from deploytag.delivery.cluster import Cluster
from deploytag.delivery.inventory import databases
from deploytag.delivery.inventory import look as inventory
from deploytag.delivery.record import Record
from deploytag.delivery.world import World
from deploytag.errors import BusyError, CapError
from deploytag.identity import Identity, identify
from deploytag.ownership import KIND, PROJECT, SYSTEM_NAMESPACE

KEY = "admitted"
"""How many first pushes were admitted: only that it changes matters."""

PATIENCE = 60.0
"""Seconds in which a run must get its turn among other first pushes."""


def look(world: World, newcomer: str | None = None) -> caps.Facts:
    """What there is of what the caps limit; `newcomer` as in `caps.facts`.

    Raises:
        UnreachableError: somebody who has to be asked does not answer.
    """
    connections = None
    if world.administrator is not None:
        with databases.connected(world.administrator) as server:
            connections = server.connections()
    found = inventory.all(world.project, world.sources)
    return caps.facts(world.project, found, connections, world.policy, newcomer=newcomer)


def refuse_beyond(world: World, identity: Identity, class_name: str) -> None:
    """Refuse a ref that the caps leave no room for.

    Raises:
        CapError: there is none.
        UnreachableError: as `look`.
    """
    if why := caps.refusal(identity.ref, class_name, look(world, identity.ref), world.policy):
        raise CapError(why)


def admit(world: World, identity: Identity, class_name: str, record: Record, check: Callable[[], None]) -> None:
    """Write the first record of an environment whose lease is held, if the caps leave room for it.

    `check` raises when the lease is lost. It is asked right before each write: the record may be another run's by then.

    Raises:
        CapError: they do not; nothing is left.
        BusyError: too many first pushes at once, or the lease is lost.
        UnreachableError: as `look`.
    """
    tries = Retrying(
        retry=retry_if_exception_type(ConflictError),
        stop=stop_after_delay(PATIENCE),
        wait=wait_random(0, 0.3),
        reraise=True,
    )
    try:
        tries(_admit_once, world, identity, class_name, record, check)
    except ConflictError:
        check()
        world.records.delete(identity)
        raise BusyError(
            f"{identity.ref} was not admitted within {PATIENCE:.0f} s, because other first pushes were: run it again."
        ) from None
    except CapError:
        check()
        # Of an earlier try, when another push came first.
        world.records.delete(identity)
        raise


def _admit_once(world: World, identity: Identity, class_name: str, record: Record, check: Callable[[], None]) -> None:
    def written(_: Record | None) -> Record:
        check()
        return record

    turn = _turn(world.cluster, world.project)
    refuse_beyond(world, identity, class_name)
    world.records.update(identity, written)
    _take(world.cluster, world.project, turn)


def _turn(cluster: Cluster, project: str) -> Object:
    """The object that first pushes write in turn, as it is now; made when there is none."""
    name = f"{identify(project, 'admissions').namespace}.admissions"
    with asking(cluster, f"reading the admissions of {project}", "get and create configmaps"):
        found = cluster.api.find(CONFIG_MAPS, name, SYSTEM_NAMESPACE, timeout=TIMEOUT)
        if found is None:
            metadata = {
                "name": name,
                "labels": {"app.kubernetes.io/managed-by": "deploytag", KIND: "admissions"},
                "annotations": {PROJECT: project},
            }
            body = {"metadata": metadata, "data": {KEY: "0"}}
            found = cluster.api.create(CONFIG_MAPS, body, SYSTEM_NAMESPACE, timeout=TIMEOUT).item
    return found


def _take(cluster: Cluster, project: str, turn: Object) -> None:
    """Write it, unless somebody did since it was read.

    Raises:
        ConflictError: somebody did.
    """
    # Something has to change, or the API server would leave the object at its version.
    moved = {**turn, "data": {KEY: str(int((turn.get("data") or {}).get(KEY, "0")) + 1)}}
    with asking(cluster, f"writing the admissions of {project}", "update configmaps"):
        cluster.api.replace(CONFIG_MAPS, moved, SYSTEM_NAMESPACE, timeout=TIMEOUT)
