"""Watches a namespace while a run changes it, and says the first fatal cause as soon as there is one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from deploytag.delivery.cluster import Cluster
from deploytag.delivery.diagnosis import causes
from deploytag.delivery.diagnosis.cause import Cause
from deploytag.delivery.diagnosis.generations import baseline
from deploytag.delivery.diagnosis.informer import EVENTS, JOBS, PODS, RELEASES, REPLICA_SETS, STATEFUL_SETS, Informer
from deploytag.delivery.diagnosis.logs import read_log
from deploytag.identity import Identity

KINDS = (PODS, EVENTS, JOBS, REPLICA_SETS, STATEFUL_SETS, RELEASES)
TICK = 1.0
"""Seconds after which what matures with time is looked at again."""
FIRST_LOOK = 5.0
"""Seconds that entering waits for the first look, from which old things are told from the run's own."""
TAIL = 20
"""Lines of a log that are shown."""
LARGEST_TAIL = 64 << 10
"""Bytes of them all."""


class Watcher:
    """Calls `on_fatal` once, from a thread of its own, with the first fatal cause of what the run brings.

    Enter it before the run changes anything: what is in the namespace then is not the run's. It never raises into the
    run, whatever the cluster does.
    """

    def __init__(self, cluster: Cluster, identity: Identity, on_fatal: Callable[[Cause], None]) -> None:
        self._informer = Informer(cluster, identity.namespace, KINDS)
        self._on_fatal = on_fatal
        self._looked = threading.Event()
        self._found = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"causes-{identity.namespace}", daemon=True)
        self.cause: Cause | None = None

    def __enter__(self) -> Self:
        self._informer.__enter__()
        self._thread.start()
        self._looked.wait(FIRST_LOOK)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._informer.close()
        # It may be looking at the last change: from here on `cause` stays what it is.
        self._thread.join()

    def cause_within(self, seconds: float) -> Cause | None:
        """The cause, when it comes within `seconds`: Helm sees a failed hook as soon as this does, and ends first."""
        self._found.wait(seconds)
        return self.cause

    def _run(self) -> None:
        before: frozenset[str] | None = None
        for snapshot in self._informer.snapshots(TICK):
            if before is None:
                before = baseline(snapshot)
                self._looked.set()
            cause = causes.find(snapshot, self._informer.now(), before)
            if cause is not None:
                self.cause = cause
                self._found.set()
                self._on_fatal(cause)
                return


def evidence(cluster: Cluster, identity: Identity, cause: Cause, redact: Callable[[str], str] = str) -> list[str]:
    """What proves the cause, in lines: what the cluster says, and the end of the container's log.

    A program may print its secrets: `redact` takes them out of every line.
    """
    lines = cause.event.splitlines() if cause.event else []
    if cause.pod and cause.container:
        lines += [
            f"| {line}" for line in _log_tail(cluster, identity.namespace, cause.pod, cause.container, cause.previous)
        ]
    return [redact(line) for line in lines]


def _log_tail(cluster: Cluster, namespace: str, pod: str, container: str, previous: bool) -> list[str]:
    # A moment after a restart, or between two runs of a container, only one of the two has a log.
    for before in (previous, not previous):
        try:
            text = read_log(cluster.api, namespace, pod, container, tail=TAIL, largest=LARGEST_TAIL, previous=before)
        except (ApiException, HTTPError):
            continue
        if text:
            return text.splitlines()
    return []
