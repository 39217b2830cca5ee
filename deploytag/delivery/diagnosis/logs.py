"""The logs of an environment's pods: what there is, or on and on as it is written."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue

from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from deploytag import api
from deploytag.api import lines
from deploytag.delivery.cluster import Cluster
from deploytag.delivery.diagnosis.generations import Snapshot
from deploytag.delivery.diagnosis.informer import JOBS, PODS, Informer, look
from deploytag.delivery.diagnosis.listing import said
from deploytag.delivery.diagnosis.objects import ContainerStatus, Pod
from deploytag.errors import UnreachableError
from deploytag.identity import Identity

KINDS = (PODS, JOBS)
TICK = 1.0
TIMEOUT = 10
LARGEST_LOG = 16 << 20
"""Bytes of one container's log."""
SILENCE = 3600
"""Seconds that a program may print nothing while its log is followed."""


@dataclass(frozen=True, slots=True, order=True)
class Source:
    """One container of one pod."""

    pod: str
    container: str
    restarts: int = 0
    """Each run of a container has a log of its own."""

    @property
    def prefix(self) -> str:
        """What its lines begin with."""
        return f"{self.pod}/{self.container}"


@dataclass(frozen=True, slots=True)
class Line:
    """A line, and whose it is."""

    source: Source
    text: str


def sources(snapshot: Snapshot, *, migration: bool) -> list[Source]:
    """The containers that have a log: of the hooks' Jobs for `migration`, else of everything else. Pure."""
    hooks = {job.uid for job in snapshot.jobs if job.hook}
    return sorted(
        Source(pod.name, status.name, status.restart_count)
        for pod in snapshot.pods
        if _is_of(pod, hooks) == migration
        for status in (*pod.status.init_container_statuses, *pod.status.container_statuses)
        if _has_log(status)
    )


def read(cluster: Cluster, identity: Identity, *, migration: bool, tail: int) -> tuple[list[Line], list[str]]:
    """The last `tail` lines of each container, and a sentence for each log that cannot be read.

    Raises:
        UnreachableError: the cluster does not say which pods there are.
    """
    snapshot, _, refused = look(cluster, identity.namespace, KINDS)
    if refused:
        raise UnreachableError(
            f"The cluster does not show what is in {identity.namespace}: "
            + "; ".join(f"{kind}: {reason}" for kind, reason in refused.items())
        )
    found, complaints = [], []
    wanted = sources(snapshot, migration=migration)
    with ThreadPoolExecutor(8) as threads:
        logs = [(source, threads.submit(_log, cluster, identity, source, tail)) for source in wanted]
        for source, log in logs:
            try:
                found += [Line(source, text) for text in log.result()]
            except (ApiException, HTTPError) as error:
                complaints.append(f"The log of {source.prefix} cannot be read: {said(error)}.")
    return found, complaints


def follow(cluster: Cluster, identity: Identity, *, migration: bool, tail: int) -> Generator[Line, None, None]:
    """Lines as they are written, also of pods that come later; until the caller stops."""
    written: SimpleQueue[Line] = SimpleQueue()
    with Informer(cluster, identity.namespace, KINDS) as informer:

        def attend() -> None:
            followed: set[Source] = set()
            for snapshot in informer.snapshots(TICK):
                for source in sources(snapshot, migration=migration):
                    if source not in followed:
                        followed.add(source)
                        reading = (cluster, identity, source, tail, written.put)
                        threading.Thread(target=_follow_one, args=reading, daemon=True).start()

        threading.Thread(target=attend, daemon=True).start()
        while True:
            yield written.get()


def _follow_one(cluster: Cluster, identity: Identity, source: Source, tail: int, say: Callable[[Line], None]) -> None:
    try:
        response = cluster.api.open(
            api.PODS.path(identity.namespace, source.pod, "log"),
            timeout=(TIMEOUT, SILENCE),
            accept="*/*",
            query={"container": source.container, "tailLines": tail, "follow": "true"},
        )
        try:
            for line in lines(response):
                say(Line(source, line.decode("utf-8", "replace")))
        finally:
            response.close()
    except (ApiException, HTTPError) as error:
        say(Line(source, f"(the log cannot be read any further: {said(error)})"))


def _log(cluster: Cluster, identity: Identity, source: Source, tail: int) -> list[str]:
    text = read_log(cluster.api, identity.namespace, source.pod, source.container, tail=tail, largest=LARGEST_LOG)
    return text.splitlines()


def read_log(
    server: api.Api, namespace: str, pod: str, container: str, *, tail: int, largest: int, previous: bool = False
) -> str:
    """The last `tail` lines of a container, of which a program that never ends its line makes `largest` bytes at most.

    Args:
        server: whom to ask.
        namespace: of the pod.
        pod: its name.
        container: its name in the pod.
        tail: lines.
        largest: bytes.
        previous: whether that of the container's run before this one is wanted.

    Raises:
        ApiException, urllib3.exceptions.HTTPError: as `Api`.
    """
    query = {"container": container, "tailLines": tail, "limitBytes": largest, "previous": "true" if previous else None}
    response = server.open(api.PODS.path(namespace, pod, "log"), timeout=TIMEOUT, accept="*/*", query=query)
    try:
        return whole_lines(response.data, largest).decode("utf-8", "replace")
    finally:
        response.close()


def whole_lines(log: bytes, limit: int) -> bytes:
    """A log of which `limit` bytes were asked for, without a line that was cut: half of a secret is not known. Pure."""
    if len(log) < limit:
        return log
    kept, newline, _ = log.rpartition(b"\n")
    return kept + newline + f"[a line that ends after {limit} bytes of log is left out]".encode()


def _is_of(pod: Pod, jobs: set[str]) -> bool:
    owner = pod.metadata.controller
    return owner is not None and owner.uid in jobs


def _has_log(status: ContainerStatus) -> bool:
    return bool(status.state.running or status.state.terminated or status.last_state.terminated)
