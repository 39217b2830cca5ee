"""A namespace as it is now: listed once, then kept current by watches, as controllers do it."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any, Self

from kubernetes.client.exceptions import ApiException
from pydantic import ValidationError
from urllib3.exceptions import HTTPError

from deploytag import api
from deploytag.api import date_of, lines
from deploytag.delivery.cluster import Cluster
from deploytag.delivery.diagnosis.generations import Snapshot
from deploytag.delivery.diagnosis.listing import said
from deploytag.delivery.diagnosis.objects import EndpointSlice, Event, Job, KubernetesObject, Pod, Release, Workload
from deploytag.documents import parse_json

log = logging.getLogger(__name__)

WATCH_SECONDS = 25
"""The server ends a watch after so long, and the next goes on where it ended."""
TIMEOUT = (5, WATCH_SECONDS + 5)
"""Seconds for connecting and between two bytes: a connection that died unnoticed is given up after the second."""
ONCE = 10
"""Seconds that the answer to a single look may take."""
PAUSE = 1.0
GONE = 410


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of object to keep current."""

    field: str
    """Of the `Snapshot`."""
    model: type[KubernetesObject]
    resource: api.Resource
    labels: str | None = None
    metadata_only: bool = False


PODS = Kind("pods", Pod, api.PODS)
EVENTS = Kind("events", Event, api.EVENTS)
JOBS = Kind("jobs", Job, api.JOBS)
REPLICA_SETS = Kind("replica_sets", Workload, api.REPLICA_SETS)
STATEFUL_SETS = Kind("stateful_sets", Workload, api.STATEFUL_SETS)
DEPLOYMENTS = Kind("deployments", Workload, api.DEPLOYMENTS)
ENDPOINT_SLICES = Kind("endpoint_slices", EndpointSlice, api.ENDPOINT_SLICES)
# Helm keeps its releases in Secrets. Their content never leaves the server.
RELEASES = Kind("releases", Release, api.SECRETS, labels="owner=helm", metadata_only=True)

Change = Callable[[dict[str, KubernetesObject]], None]


class _ExpiredError(Exception):
    """The server does not know any more what changed since; it has to be listed again."""


class Informer:
    """Keeps some kinds of a namespace's objects current while it is entered.

    The namespace need not exist: until it does there is nothing in it. What the server refuses or cannot say is tried
    again and again, and meanwhile is as it was last; `complaints` says so.
    """

    def __init__(self, cluster: Cluster, namespace: str, kinds: Sequence[Kind]) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._kinds = kinds
        self._changes: SimpleQueue[tuple[Kind, Change] | None] = SimpleQueue()
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._responses: dict[str, Any] = {}
        self._clock: tuple[float, datetime] = (time.monotonic(), datetime.now(UTC))
        self.complaints: dict[str, str] = {}

    def __enter__(self) -> Self:
        for kind in self._kinds:
            name = f"watch-{self._namespace}-{kind.field}"
            threading.Thread(target=self._feed, args=(kind,), name=name, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all watches. Threads that wait for the server learn it at once."""
        self._closed.set()
        self._changes.put(None)
        with self._lock:
            responses = list(self._responses.values())
        for response in responses:
            _end(response)

    def now(self) -> datetime:
        """The server's time: events are compared with it, and this machine's clock may be another."""
        then, served = self._clock
        return served + timedelta(seconds=time.monotonic() - then)

    @property
    def changed(self) -> bool:
        """Whether something changed since the last snapshot."""
        return not self._changes.empty()

    def snapshots(self, tick: float) -> Iterator[Snapshot]:
        """What is in the namespace: now, after each change, and after each `tick` seconds without one, until closed.

        No change is left out, so that an object is seen in a state it has for a moment only. The first comes when
        every kind was listed, or was refused. One consumer at a time.
        """
        objects: dict[str, dict[str, KubernetesObject]] = {}
        while not self._closed.is_set():
            try:
                change = self._changes.get(timeout=tick)
            except Empty:
                pass
            else:
                if change is None:
                    return
                kind, apply = change
                apply(objects.setdefault(kind.field, {}))
            if len(objects) == len(self._kinds):
                yield Snapshot(**{field: tuple(found.values()) for field, found in objects.items()})  # type: ignore[arg-type]

    # --- one thread for each kind -------------------------------------------------------------------------------------

    def _feed(self, kind: Kind) -> None:
        while not self._closed.is_set():
            try:
                version = self._list(kind)
                while not self._closed.is_set():
                    version = self._watch(kind, version)
            except _ExpiredError:
                continue
            # Whatever the server or the way to it does, the run must not fail for being watched.
            except (ApiException, HTTPError, OSError, ValueError, LookupError, TypeError, AttributeError) as error:
                if self._closed.is_set():
                    return
                self.complaints[kind.field] = said(error)
                log.debug("%s of %s cannot be watched: %s", kind.field, self._namespace, said(error))
                if isinstance(error, ApiException):
                    self._changes.put((kind, lambda _: None))
                self._closed.wait(PAUSE)

    def _list(self, kind: Kind) -> str:
        with _expiring():
            found = self._cluster.api.list(
                kind.resource,
                self._namespace,
                timeout=TIMEOUT,
                labels=kind.labels,
                metadata_only=kind.metadata_only,
            )
        self._set_clock(found.date)
        objects = _parsed(kind, found.items)

        def apply(known: dict[str, KubernetesObject]) -> None:
            known.clear()
            known.update(objects)

        self._changes.put((kind, apply))
        self.complaints.pop(kind.field, None)
        return found.version

    def _watch(self, kind: Kind, version: str) -> str:
        """Follow changes since `version` until the server ends the watch; return the version it came to."""
        # The client's own Watch would read every field of every object into its models; and lose its place without.
        with _expiring():
            response = self._cluster.api.watch(
                kind.resource,
                self._namespace,
                version=version,
                seconds=WATCH_SECONDS,
                timeout=TIMEOUT,
                labels=kind.labels,
                metadata_only=kind.metadata_only,
            )
        self._set_clock(date_of(response.headers))
        with self._lock:
            self._responses[kind.field] = response
        try:
            if self._closed.is_set():  # it may have been just before this response was known
                return version
            for line in lines(response):
                change = parse_json(line)
                if change["type"] == "ERROR":
                    if change["object"].get("code") == GONE:
                        raise _ExpiredError
                    raise ApiException(status=change["object"].get("code"), reason=change["object"].get("message"))
                version = str(change["object"]["metadata"]["resourceVersion"])
                if change["type"] != "BOOKMARK" and (it := _parse(kind, change["object"])):
                    self._changes.put((kind, _change(change["type"], it)))
        finally:
            with self._lock:
                del self._responses[kind.field]
            response.close()
        return version

    def _set_clock(self, served: datetime | None) -> None:
        if served:
            self._clock = (time.monotonic(), served)


def look(cluster: Cluster, namespace: str, kinds: Sequence[Kind]) -> tuple[Snapshot, datetime, dict[str, str]]:
    """A namespace once: what was found, the server's time, and why a kind could not be listed."""

    def one(kind: Kind) -> tuple[dict[str, KubernetesObject], datetime | None]:
        answer = cluster.api.list(
            kind.resource, namespace, timeout=ONCE, labels=kind.labels, metadata_only=kind.metadata_only
        )
        return _parsed(kind, answer.items), answer.date

    found: dict[str, tuple[KubernetesObject, ...]] = {}
    complaints: dict[str, str] = {}
    now = datetime.now(UTC)
    with ThreadPoolExecutor(len(kinds)) as threads:
        for kind, answer in [(kind, threads.submit(one, kind)) for kind in kinds]:
            try:
                objects, served = answer.result()
            except (ApiException, HTTPError, OSError, ValueError) as error:
                complaints[kind.field] = said(error)
            else:
                found[kind.field], now = tuple(objects.values()), served or now
    return Snapshot(**found), now, complaints  # type: ignore[arg-type]


@contextlib.contextmanager
def _expiring() -> Iterator[None]:
    try:
        yield
    except ApiException as error:
        if error.status == GONE:
            raise _ExpiredError from None
        raise


def _parsed(kind: Kind, items: Iterable[api.Object]) -> dict[str, KubernetesObject]:
    return {it.uid: it for raw in items if (it := _parse(kind, raw))}


def _change(kind: str, it: KubernetesObject) -> Change:
    def apply(known: dict[str, KubernetesObject]) -> None:
        if kind == "DELETED":
            known.pop(it.uid, None)
        else:
            known[it.uid] = it

    return apply


def _parse(kind: Kind, raw: Any) -> KubernetesObject | None:
    try:
        return kind.model.model_validate(raw)
    except ValidationError as error:
        # An API server that is newer than this code may know other values; one odd object must not blind us.
        log.debug("one of the %s is not understood: %s", kind.field, error)
        return None


def _end(response: Any) -> None:
    """Make the thread that reads `response` see its end; closing it would wait for that thread."""
    try:
        response.shutdown()
    except (ValueError, RuntimeError, OSError, AttributeError):
        log.debug("a watch had ended by itself")
