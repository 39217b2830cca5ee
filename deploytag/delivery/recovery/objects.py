"""Objects of any kind, by the cluster's own discovery: rarely needed, so nothing of it is done in advance."""

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic import DynamicClient
from kubernetes.dynamic.exceptions import NotFoundError, ResourceNotFoundError
from kubernetes.watch import Watch

from deploytag.delivery.cluster import Cluster
from deploytag.delivery.recovery.state import ObjectName

Found = TypeVar("Found")

TIMEOUT = 10
"""Seconds one request may take."""


def exists(cluster: Cluster, it: ObjectName) -> bool:
    """Whether there is such an object."""
    try:
        kind = dynamic(cluster).resources.get(api_version=it.api_version, kind=it.kind)
        kind.get(name=it.name, namespace=it.namespace)
    except (NotFoundError, ResourceNotFoundError):
        return False
    return True


def delete(cluster: Cluster, it: ObjectName) -> None:
    """Delete it and what it owns; that it is gone already is no error."""
    with contextlib.suppress(NotFoundError):
        kind = dynamic(cluster).resources.get(api_version=it.api_version, kind=it.kind)
        kind.delete(name=it.name, namespace=it.namespace, body={"propagationPolicy": "Foreground"})


def dynamic(cluster: Cluster) -> Any:
    """The client for kinds that are known by name only."""
    return DynamicClient(cluster.api)  # type: ignore[no-untyped-call]


def or_none(read: Callable[[], Found]) -> Found | None:
    """What `read` returns; None when there is no such object."""
    try:
        return read()
    except ApiException as error:
        if error.status == 404:
            return None
        raise


def await_gone(read: Callable[[], Any], watch: Callable[..., Any], *where: str, name: str, patience: float) -> bool:
    """Whether the object that `read` reads, of those that `watch` lists (in `where`), is gone within `patience` s."""
    deadline = time.monotonic() + patience
    while (found := or_none(read)) is not None:
        if (left := deadline - time.monotonic()) <= 0:
            return False
        events = Watch().stream(  # type: ignore[no-untyped-call]
            watch,
            *where,
            field_selector=f"metadata.name={name}",
            resource_version=found.metadata.resource_version,
            timeout_seconds=math.ceil(left),
        )
        with contextlib.closing(events), _expired_watch():
            next((event for event in events if event["type"] == "DELETED"), None)
    return True


@contextlib.contextmanager
def _expired_watch() -> Iterator[None]:
    """A version that is too old to watch from is no failure: one looks again."""
    try:
        yield
    except ApiException as error:
        if error.status != 410:
            raise
