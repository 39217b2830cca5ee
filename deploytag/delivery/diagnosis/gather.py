"""Finds the facts of `deploytag why`: everything is asked at once, and each for itself."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC
from typing import Any

from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from deploytag.api import NAMESPACES, deleted_at
from deploytag.delivery.cluster import Cluster
from deploytag.delivery.diagnosis.explain import Facts, NamespaceLook
from deploytag.delivery.diagnosis.informer import (
    DEPLOYMENTS,
    EVENTS,
    JOBS,
    PODS,
    RELEASES,
    REPLICA_SETS,
    STATEFUL_SETS,
    look,
)
from deploytag.delivery.diagnosis.listing import said
from deploytag.delivery.recovery import namespaces, objects
from deploytag.delivery.store import Lock, StateStore
from deploytag.delivery.world import World
from deploytag.errors import DeployTagError
from deploytag.identity import Identity

KINDS = (PODS, EVENTS, JOBS, REPLICA_SETS, STATEFUL_SETS, DEPLOYMENTS, RELEASES)


def gather(world: World, identity: Identity) -> Facts:
    """Ask everything at once. What one of them cannot say does not keep the others from it."""
    questions: dict[str, Callable[[], Any]] = {
        "namespace": lambda: _namespace(world.cluster, identity.namespace),
        "lease": lambda: world.leases.read(identity),
        "record": lambda: world.records.get(identity),
        "tombstone": lambda: world.records.tombstone(identity),
        "locks": lambda: _locks(world.store, identity),
    }
    found: dict[str, Any] = {}
    unknown: dict[str, str] = {}
    with ThreadPoolExecutor(len(questions)) as threads:
        answers = {name: threads.submit(question) for name, question in questions.items()}
        snapshot, now, complaints = look(world.cluster, identity.namespace, KINDS)
        for name, answer in answers.items():
            try:
                found[name] = answer.result()
            # One that is known to fail in these ways must not hide what the others said.
            except (DeployTagError, ApiException, HTTPError, OSError) as error:
                unknown[name] = str(error) if isinstance(error, DeployTagError) else said(error)
    return Facts(
        identity,
        now,
        snapshot,
        no_class=world.policy.refusal(identity.ref),
        unknown={**complaints, **unknown},
        **found,
    )


def _namespace(cluster: Cluster, name: str) -> NamespaceLook | None:
    found = cluster.api.find(NAMESPACES, name, timeout=objects.TIMEOUT)
    if found is None:
        return None
    since = deleted_at(found)
    return NamespaceLook(since, tuple(namespaces.blockers(cluster, name))) if since else NamespaceLook()


def _locks(store: StateStore | None, identity: Identity) -> tuple[str, ...]:
    return tuple(_lock(lock) for lock in store.locks(identity.project, identity.stack)) if store else ()


def _lock(lock: Lock) -> str:
    since = f"since {lock.written.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    if lock.holder is None:
        return f"somebody unknown, {since}"
    return f"{lock.holder.username}@{lock.holder.hostname}, process {lock.holder.pid}, {since}"
