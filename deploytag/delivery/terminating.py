"""Waiting for a namespace or a volume to be gone, and saying what keeps a namespace that does not go.

A namespace ends when everything in it has: whatever holds it back is a finalizer that nobody takes off, or an API whose
server cannot be asked. Neither is ours to force (the one would leak what the finalizer stands for, the other hides it).
"""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from kubernetes import client, watch
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic import DynamicClient
from kubernetes.dynamic.exceptions import DynamicApiError
from urllib3.exceptions import HTTPError, ReadTimeoutError

from deploytag.delivery.cluster import Cluster

REQUEST = 10
"""Seconds one question may take."""
NAMED = 5
"""So many of the objects that hold a namespace are named; the rest is counted."""


def wait(cluster: Cluster, namespace: str, seconds: float) -> bool:
    """Whether the namespace is gone within `seconds`. Watches, so it returns as soon as it is."""
    return _gone(cluster.core.read_namespace, cluster.core.list_namespace, namespace, seconds)


def wait_for_volume(cluster: Cluster, volume: str, seconds: float) -> bool:
    """Whether the persistent volume is gone within `seconds`."""
    return _gone(cluster.core.read_persistent_volume, cluster.core.list_persistent_volume, volume, seconds)


def read(cluster: Cluster, namespace: str) -> Any | None:
    """The namespace; None: there is none."""
    return _or_none(cluster.core.read_namespace, namespace)


def _gone(read_one: Callable[..., Any], list_all: Callable[..., Any], name: str, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while (found := _or_none(read_one, name)) is not None:
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        if _deleted(list_all, name, found.metadata.resource_version, left):
            return True
    return True


def _or_none(read_one: Callable[..., Any], name: str) -> Any | None:
    try:
        return read_one(name, _request_timeout=REQUEST)
    except ApiException as error:
        if error.status == 404:
            return None
        raise


def _deleted(list_all: Callable[..., Any], name: str, version: str, seconds: float) -> bool:
    """Whether it is seen to be deleted; False when the watch ended before, for whatever reason."""
    events: Any = watch.Watch()  # type: ignore[no-untyped-call]
    try:
        for event in events.stream(
            list_all,
            field_selector=f"metadata.name={name}",
            resource_version=version,
            timeout_seconds=max(1, int(seconds)),
            _request_timeout=seconds + REQUEST,
        ):
            if event["type"] == "DELETED":
                return True
    except (ApiException, ReadTimeoutError):  # an expired version or a silent connection: read anew
        return False
    finally:
        events.stop()
    return False


def since(namespace: Any) -> float:
    """Seconds since the namespace was told to go; 0 when it was not."""
    told: datetime | None = namespace.metadata.deletion_timestamp
    return (datetime.now(UTC) - told).total_seconds() if told else 0.0


def blockers(cluster: Cluster, namespace: str) -> list[str]:
    """What keeps the namespace: objects with their finalizers, APIs that cannot be asked, else what itself says."""
    found = read(cluster, namespace)
    if found is None:
        return []
    conditions = [it for it in (found.status.conditions if found.status else None) or [] if it.status == "True"]
    named = [*_dead_apis(cluster), *_held(cluster, namespace)] if conditions else []
    return named or [f"{it.type}: {it.message}" for it in conditions]


def _dead_apis(cluster: Cluster) -> Iterator[str]:
    services: list[Any] = client.ApiregistrationV1Api(cluster.api).list_api_service(_request_timeout=REQUEST).items
    for service in services:
        for it in (service.status.conditions if service.status else None) or []:
            if it.type == "Available" and it.status != "True":
                yield f"the APIService {service.metadata.name} does not answer ({it.reason})"


def _held(cluster: Cluster, namespace: str) -> list[str]:
    """Objects of any kind that have finalizers. Only asked for a namespace that hangs: it lists every kind."""
    objects = sorted(
        f"{it.kind} {it.metadata.name} has the finalizer{'s' if len(it.metadata.finalizers) > 1 else ''} "
        f"{', '.join(it.metadata.finalizers)}"
        for it in _objects(cluster, namespace)
        if it.metadata.finalizers
    )
    return objects[:NAMED] + ([f"{len(objects) - NAMED} more objects have finalizers"] if len(objects) > NAMED else [])


def _objects(cluster: Cluster, namespace: str) -> Iterator[Any]:
    resources: Any = DynamicClient(cluster.api).resources  # type: ignore[no-untyped-call]
    seen: set[str] = set()
    for resource in resources.search(namespaced=True):
        # A kind may be served in several groups and versions; one of them is enough.
        if "list" not in (resource.verbs or []) or "delete" not in resource.verbs or resource.kind in seen:
            continue
        try:
            yield from resource.get(namespace=namespace, _request_timeout=REQUEST).items
            seen.add(resource.kind)
        except (DynamicApiError, ApiException, HTTPError):  # an API that is down is named by itself
            continue
