"""Finds the facts of `deploytag why`: everything is asked at once, and each for itself."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from deploytag.delivery.cluster import Cluster
from deploytag.delivery.explain import Facts, LeaseLook, NamespaceLook
from deploytag.delivery.informer import (
    DEPLOYMENTS,
    EVENTS,
    JOBS,
    PODS,
    RELEASES,
    REPLICA_SETS,
    STATEFUL_SETS,
    look,
)
from deploytag.delivery.record import Record, Tombstone
from deploytag.errors import DeployTagError
from deploytag.identity import Identity

KINDS = (PODS, EVENTS, JOBS, REPLICA_SETS, STATEFUL_SETS, DEPLOYMENTS, RELEASES)
TIMEOUT = 10
"""Seconds the namespace may take to be read."""


@dataclass(frozen=True, slots=True)
class Questions:
    """How to find out what the cluster's namespace does not say; each may be left out."""

    lease: Callable[[], LeaseLook | None] | None = None
    record: Callable[[], Record | None] | None = None
    tombstone: Callable[[], Tombstone | None] | None = None
    locks: Callable[[], Sequence[str]] | None = None
    blockers: Callable[[], Sequence[str]] | None = None
    """What holds the namespace; asked only when it is being deleted."""


def gather(cluster: Cluster, identity: Identity, ask: Questions) -> Facts:
    """Ask everything at once. What one of them cannot say does not keep the others from it."""
    unknown: dict[str, str] = {}
    questions: dict[str, Callable[[], Any] | None] = {
        "namespace": lambda: _namespace(cluster, identity.namespace, ask.blockers),
        "lease": ask.lease,
        "record": ask.record,
        "tombstone": ask.tombstone,
        "locks": ask.locks,
    }
    found: dict[str, Any] = {}
    with ThreadPoolExecutor(len(questions)) as threads:
        answers = {name: threads.submit(question) for name, question in questions.items() if question}
        snapshot, now, complaints = look(cluster, identity.namespace, KINDS)
        for name, answer in answers.items():
            try:
                found[name] = answer.result()
            # One that is known to fail in these ways must not hide what the others said.
            except (DeployTagError, ApiException, HTTPError, OSError) as error:
                unknown[name] = str(error)
    locks = tuple(found.pop("locks", ()))
    return Facts(identity, now, snapshot, locks=locks, unknown={**complaints, **unknown}, **found)


def _namespace(cluster: Cluster, name: str, blockers: Callable[[], Sequence[str]] | None) -> NamespaceLook | None:
    try:
        found = cluster.core.read_namespace(name, _request_timeout=TIMEOUT)
    except ApiException as error:
        if error.status == 404:
            return None
        raise
    since = found.metadata.deletion_timestamp if found.metadata else None
    if since is None:
        return NamespaceLook()
    named = (
        blockers() if blockers else [it.message or it.type for it in (found.status and found.status.conditions) or []]
    )
    return NamespaceLook(since, tuple(named))
