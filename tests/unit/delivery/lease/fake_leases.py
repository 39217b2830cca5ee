"""An API server's Leases, in simulated time, as far as a lease of ours goes; and the network to it.

What it does was seen on a real one: `tests/e2e/delivery/test_lease.py` holds both to it.
"""

import builtins
import copy
import math
import re
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from kubernetes.client import ApiClient, Configuration
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import ProtocolError, ReadTimeoutError

from deploytag.api import LEASES, Api, Listing, Object, Resource, Timeout, Written
from deploytag.delivery.cluster import Cluster
from deploytag.delivery.lease.acquire import Leases
from deploytag.ownership import SYSTEM_NAMESPACE
from tests.unit.delivery.lease.simulation import Process, World

EPOCH = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
MICRO_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")

Answer = TypeVar("Answer")


class LeaseServer:
    """The Leases of one namespace."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.stored: dict[str, Object] = {}
        self.version = 100
        self.changed: dict[str, int] = {}
        """The version of the last change of each lease, also of one that is gone."""
        self.watchers: list[tuple[str, threading.Event]] = []
        self.log: list[str] = []
        self.refuse: dict[str, int] = {}
        """By verb: the status that a request of that kind gets instead of being carried out."""
        self.watchable = True
        self.hangs = False
        """Whether requests take no notice of their time limit, as with a command that renews credentials."""
        self.tells_time = True
        self.max_latency = 0.05
        self.straggling = 0.0
        """Share of messages that take up to 20 s."""

    @property
    def date(self) -> datetime | None:
        """What each answer says."""
        return EPOCH + timedelta(seconds=int(self.world.time)) if self.tells_time else None

    def list(self, selects: Callable[[Object], bool]) -> tuple[builtins.list[Object], str]:
        """Those that are selected, and the version of everything."""
        return [copy.deepcopy(lease) for lease in self.stored.values() if selects(lease["metadata"])], str(self.version)

    def create(self, body: Object) -> Object:
        """POST."""
        name = body["metadata"]["name"]
        if name in self.stored:
            raise ApiException(409, "AlreadyExists")
        return self._store(name, body, uid=f"uid-{self.version + 1}")

    def replace(self, body: Object) -> Object:
        """PUT, which makes a Lease that is not there unless the body says which uid it must have.

        Writing what is there already changes no version.
        """
        wanted = body["metadata"]
        name, uid = wanted["name"], wanted["uid"]
        if (stored := self.stored.get(name)) is None:
            if uid:
                raise ApiException(409, "Precondition failed: UID")
            return self._store(name, body, uid=f"uid-{self.version + 1}")
        there = stored["metadata"]
        if wanted["resourceVersion"] != there["resourceVersion"] or uid not in {None, there["uid"]}:
            raise ApiException(409, "the object has been modified")
        same = {**body, "metadata": {**wanted, "uid": there["uid"]}}
        return copy.deepcopy(stored) if same == stored else self._store(name, body, uid=there["uid"])

    def delete(self, name: str, uid: str | None = None, version: str | None = None) -> None:
        """DELETE, of which `Api.delete` takes it for done that there is none."""
        if (stored := self.stored.get(name)) is None:
            return
        there = stored["metadata"]
        if uid not in {None, there["uid"]} or version not in {None, there["resourceVersion"]}:
            raise ApiException(409, "Precondition failed")
        del self.stored[name]
        self._changed(name)

    def _store(self, name: str, body: Object, uid: str) -> Object:
        for time in (body["spec"]["acquireTime"], body["spec"]["renewTime"]):
            if time is not None and not MICRO_TIME.fullmatch(time):
                raise ApiException(400, 'cannot parse as "2006-01-02T15:04:05.000000Z07:00"')
        stored = copy.deepcopy(body)
        self._changed(name)
        stored["metadata"] |= {"uid": uid, "resourceVersion": str(self.version)}
        self.stored[name] = stored
        return copy.deepcopy(stored)

    def _changed(self, name: str) -> None:
        self.version += 1
        self.changed[name] = self.version
        for watched, event in self.watchers:
            if watched == name:
                event.set()


class Connection(Api):
    """What a process knows of the server: the part of the API that leases are made of."""

    def __init__(self, server: LeaseServer, process: Process) -> None:
        super().__init__(ApiClient(Configuration(host="https://cluster.test:6443")))
        self.server = server
        self.process = process

    def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        timeout: Timeout,
        labels: str | None = None,
        fields: str | None = None,
        limit: int | None = None,
        more: str | None = None,
        metadata_only: bool = False,
    ) -> Listing[Object]:
        """GET of the collection."""
        assert (resource, namespace) == (LEASES, SYSTEM_NAMESPACE)
        name = (fields or "").removeprefix("metadata.name=")
        wanted = dict(part.split("=") for part in (labels or "").split(",") if part)

        def selects(metadata: Object) -> bool:
            return (not name or metadata["name"] == name) and wanted.items() <= (metadata.get("labels") or {}).items()

        items, version = self._answer("list", lambda: self.server.list(selects), timeout)
        return Listing(items, version, date=self.server.date)

    def create(self, resource: Resource, body: Object, namespace: str | None = None, *, timeout: Timeout) -> Written:
        """POST."""
        assert (resource, namespace) == (LEASES, SYSTEM_NAMESPACE)
        return Written(self._answer("create", lambda: self.server.create(body), timeout), self.server.date)

    def replace(self, resource: Resource, body: Object, namespace: str | None = None, *, timeout: Timeout) -> Written:
        """PUT."""
        assert (resource, namespace) == (LEASES, SYSTEM_NAMESPACE)
        return Written(self._answer("update", lambda: self.server.replace(body), timeout), self.server.date)

    def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str | None = None,
        *,
        timeout: Timeout,
        uid: str | None = None,
        version: str | None = None,
        foreground: bool = False,
    ) -> None:
        """DELETE."""
        assert (resource, namespace) == (LEASES, SYSTEM_NAMESPACE)
        self._answer("delete", lambda: self.server.delete(name, uid, version), timeout)

    def watch(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        version: str,
        seconds: int,
        timeout: Timeout,
        labels: str | None = None,
        fields: str | None = None,
        metadata_only: bool = False,
    ) -> Any:
        """GET of the collection as a watch."""
        assert (resource, namespace) == (LEASES, SYSTEM_NAMESPACE)
        assert fields
        assert isinstance(timeout, tuple)
        return Stream(self, fields.removeprefix("metadata.name="), int(version), min(float(seconds), timeout[1]))

    def _answer(self, verb: str, operate: Callable[[], Answer], timeout: Timeout) -> Answer:
        assert isinstance(timeout, float | int)
        world, process, server = self.server.world, self.process, self.server
        process.sleep(world.random.uniform(0, 0.05))  # a process may be stopped right before it sends something
        gives_up = math.inf if server.hangs else world.time + timeout / process.pace
        arrives = world.time + self._latency()
        outcome: builtins.list[Answer | ApiException] = []
        answered = threading.Event()

        def arrive() -> None:
            server.log.append(verb)
            try:
                if verb in server.refuse:
                    raise ApiException(server.refuse[verb], "refused")
                outcome.append(operate())
            except ApiException as error:
                outcome.append(error)
            if world.time >= max(process.cut_off_until, process.deafened_until):
                world.at(world.time + self._latency(), answered.set)

        if arrives >= process.cut_off_until and not server.hangs:
            world.at(arrives, arrive)
        world.pause(gives_up, answered)
        if not answered.is_set():
            raise ReadTimeoutError(None, "/leases", "timed out")  # type: ignore[arg-type]
        if isinstance(outcome[0], ApiException):
            raise outcome[0]
        return outcome[0]

    def _latency(self) -> float:
        random = self.server.world.random
        slow = random.random() < self.server.straggling
        return random.uniform(0, 20 if slow else self.server.max_latency)


class Stream:
    """The answer to a watch."""

    def __init__(self, connection: Connection, name: str, position: int, seconds: float) -> None:
        self.connection = connection
        self.name = name
        self.position = position
        self.seconds = seconds

    def stream(self, amt: int | None = None) -> Iterator[bytes]:
        """One event when there is one; the end, or no answer at all."""
        server, process = self.connection.server, self.connection.process
        server.log.append("watch")
        if not server.watchable:
            raise ProtocolError("the connection was closed")
        changed = threading.Event()
        watcher = (self.name, changed)
        server.watchers.append(watcher)
        if server.changed.get(self.name, 0) > self.position:
            changed.set()
        process.wait(changed, self.seconds)
        server.watchers.remove(watcher)
        process.sleep(self.connection._latency())
        if server.world.time < max(process.cut_off_until, process.deafened_until):
            raise ReadTimeoutError(None, "/leases", "timed out")  # type: ignore[arg-type]
        if changed.is_set():
            yield b'{"type":"MODIFIED","object":{}}'
            yield b"\n"

    def close(self) -> None:
        """Nothing to close."""


def leases(server: LeaseServer, process: Process, seconds: int = 30) -> Leases:
    """The leases as one process sees them."""
    return Leases(Cluster(Connection(server, process)), seconds, process)
