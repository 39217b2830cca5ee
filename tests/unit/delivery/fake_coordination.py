"""An API server's Leases, in simulated time, as far as a lease of ours goes; and the network to it.

What it does was seen on a real one: `tests/e2e/delivery/test_lease.py` holds both to it.
"""

import copy
import math
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, TypeVar

from kubernetes.client import ApiClient, Configuration, V1DeleteOptions, V1Lease, V1LeaseList, V1ListMeta
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import ProtocolError, ReadTimeoutError

from deploytag.api import Api
from deploytag.delivery.cluster import Cluster
from deploytag.delivery.lease.acquire import Leases
from tests.unit.delivery.simulation import Process, World

EPOCH = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

Answer = TypeVar("Answer")


class LeaseServer:
    """The Leases of one namespace."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.stored: dict[str, V1Lease] = {}
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
    def date(self) -> str:
        """The header of each answer."""
        return format_datetime(EPOCH + timedelta(seconds=int(self.world.time)), usegmt=True)

    def list(self, selects: Callable[[V1Lease], bool]) -> V1LeaseList:
        """Those that are selected, and the version of everything."""
        found = [copy.deepcopy(lease) for lease in self.stored.values() if selects(lease)]
        return V1LeaseList(items=found, metadata=V1ListMeta(resource_version=str(self.version)))

    def create(self, body: V1Lease) -> V1Lease:
        """POST."""
        name = _meta(body).name
        if name in self.stored:
            raise ApiException(409, "AlreadyExists")
        return self._store(name, body, uid=f"uid-{self.version + 1}")

    def replace(self, name: str, body: V1Lease) -> V1Lease:
        """PUT, which makes a Lease that is not there unless the body says which uid it must have.

        Writing what is there already changes no version.
        """
        wanted = _meta(body)
        if (stored := self.stored.get(name)) is None:
            if wanted.uid:
                raise ApiException(409, "Precondition failed: UID")
            return self._store(name, body, uid=f"uid-{self.version + 1}")
        there = _meta(stored)
        if wanted.resource_version != there.resource_version or wanted.uid not in {None, there.uid}:
            raise ApiException(409, "the object has been modified")
        same = copy.deepcopy(body)
        _meta(same).uid = there.uid
        return copy.deepcopy(stored) if same == stored else self._store(name, body, uid=there.uid)

    def delete(self, name: str, options: V1DeleteOptions | None) -> None:
        """DELETE."""
        if (stored := self.stored.get(name)) is None:
            raise ApiException(404, "NotFound")
        wanted, there = options and options.preconditions, _meta(stored)
        if wanted and (
            wanted.uid not in {None, there.uid} or wanted.resource_version not in {None, there.resource_version}
        ):
            raise ApiException(409, "Precondition failed")
        del self.stored[name]
        self._changed(name)

    def _store(self, name: str, body: V1Lease, uid: str) -> V1Lease:
        spec = body.spec
        assert spec is not None
        for time in (spec.acquire_time, spec.renew_time):
            if time is not None and not time.microsecond:
                raise ApiException(400, 'cannot parse as "2006-01-02T15:04:05.000000Z07:00"')
        stored = copy.deepcopy(body)
        self._changed(name)
        _meta(stored).uid, _meta(stored).resource_version = uid, str(self.version)
        self.stored[name] = stored
        return copy.deepcopy(stored)

    def _changed(self, name: str) -> None:
        self.version += 1
        self.changed[name] = self.version
        for watched, event in self.watchers:
            if watched == name:
                event.set()


class Connection:
    """What a process knows of the server: the part of `CoordinationV1Api` that leases are made of."""

    def __init__(self, server: LeaseServer, process: Process) -> None:
        self.server = server
        self.process = process

    def list_namespaced_lease_with_http_info(
        self,
        namespace: str,
        *,
        field_selector: str = "",
        label_selector: str = "",
        _request_timeout: float,
        _return_http_data_only: bool,
        **paging: Any,
    ) -> tuple[V1LeaseList, int, dict[str, str]]:
        """GET of the collection."""
        name = field_selector.removeprefix("metadata.name=")
        labels = dict(part.split("=") for part in label_selector.split(",") if part)

        def selects(lease: V1Lease) -> bool:
            meta = _meta(lease)
            return (not name or meta.name == name) and labels.items() <= (meta.labels or {}).items()

        return self._request("list", lambda: self.server.list(selects), _request_timeout)

    def create_namespaced_lease_with_http_info(
        self, namespace: str, body: V1Lease, *, _request_timeout: float, _return_http_data_only: bool
    ) -> tuple[V1Lease, int, dict[str, str]]:
        """POST."""
        return self._request("create", lambda: self.server.create(body), _request_timeout)

    def replace_namespaced_lease_with_http_info(
        self, name: str, namespace: str, body: V1Lease, *, _request_timeout: float, _return_http_data_only: bool
    ) -> tuple[V1Lease, int, dict[str, str]]:
        """PUT."""
        return self._request("update", lambda: self.server.replace(name, body), _request_timeout)

    def delete_namespaced_lease(
        self, name: str, namespace: str, *, body: V1DeleteOptions, _request_timeout: float
    ) -> None:
        """DELETE."""
        self._request("delete", lambda: self.server.delete(name, body), _request_timeout)

    def list_namespaced_lease(
        self,
        namespace: str,
        *,
        field_selector: str,
        watch: bool,
        resource_version: str,
        timeout_seconds: int,
        _request_timeout: tuple[float, float],
        _preload_content: bool,
    ) -> "Stream":
        """GET of the collection as a watch."""
        assert watch
        assert not _preload_content
        seconds = min(float(timeout_seconds), _request_timeout[1])
        return Stream(self, field_selector.removeprefix("metadata.name="), int(resource_version), seconds)

    def _request(self, verb: str, operate: Callable[[], Answer], timeout: float) -> tuple[Answer, int, dict[str, str]]:
        world, process, server = self.server.world, self.process, self.server
        process.sleep(world.random.uniform(0, 0.05))  # a process may be stopped right before it sends something
        gives_up = math.inf if server.hangs else world.time + timeout / process.pace
        arrives = world.time + self._latency()
        outcome: list[Answer | ApiException] = []
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
        return outcome[0], 200, {"Date": server.date} if server.tells_time else {}

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

    def stream(self) -> Iterator[bytes]:
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


class FakeCluster(Cluster):
    """The cluster as one process sees it."""

    def __init__(self, server: LeaseServer, process: Process) -> None:
        super().__init__(Api(ApiClient(Configuration(host="https://cluster.test:6443"))))
        object.__setattr__(self, "connection", Connection(server, process))

    @property
    def coordination(self) -> Any:
        """Leases."""
        return self.connection  # type: ignore[attr-defined]


def leases(server: LeaseServer, process: Process, seconds: int = 30) -> Leases:
    """The leases as one process sees them."""
    return Leases(FakeCluster(server, process), seconds, process)


def _meta(lease: V1Lease) -> Any:
    return lease.metadata
