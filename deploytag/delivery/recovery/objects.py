"""Objects of any kind, by the cluster's own discovery: rarely needed, so nothing of it is done in advance."""

import contextlib
import math
import time
from collections.abc import Iterator
from typing import Any

from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic import DynamicClient
from kubernetes.dynamic.exceptions import NotFoundError, ResourceNotFoundError

from deploytag.api import Object, Resource, lines
from deploytag.delivery.cluster import Cluster
from deploytag.delivery.recovery.state import ObjectName
from deploytag.documents import parse_json

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
    return _Bounded(cluster.api.client)  # type: ignore[no-untyped-call]


class _Bounded(DynamicClient):
    """Also what it asks by itself, to learn which kinds there are, has to be answered in time."""

    def request(self, method: str, path: str, body: Any = None, **parameters: Any) -> Any:
        """Any request, within TIMEOUT unless it says otherwise."""
        return super().request(method, path, body, **{"_request_timeout": TIMEOUT, **parameters})


def await_gone(
    cluster: Cluster, resource: Resource, name: str, namespace: str | None = None, *, patience: float
) -> bool:
    """Whether the object is gone within `patience` seconds."""
    deadline = time.monotonic() + patience
    while (found := cluster.api.find(resource, name, namespace, timeout=TIMEOUT)) is not None:
        if (left := deadline - time.monotonic()) <= 0:
            return False
        _await_change(cluster, resource, found, namespace, left)
    return True


def _await_change(cluster: Cluster, resource: Resource, it: Object, namespace: str | None, seconds: float) -> None:
    """Wait until the object is deleted, or for so long; less where the server cannot watch from there."""
    with (
        _expired_watch(),
        contextlib.closing(
            cluster.api.watch(
                resource,
                namespace,
                version=it["metadata"]["resourceVersion"],
                fields=f"metadata.name={it['metadata']['name']}",
                seconds=math.ceil(seconds),
                timeout=(TIMEOUT, seconds + TIMEOUT),
            )
        ) as response,
    ):
        for line in lines(response):
            match parse_json(line):
                case {"type": "DELETED"}:
                    return
                case {"type": "ERROR", "object": {"code": int(code), **said}}:
                    raise ApiException(status=code, reason=str(said.get("message")))


@contextlib.contextmanager
def _expired_watch() -> Iterator[None]:
    """A version that is too old to watch from is no failure: one looks again."""
    try:
        yield
    except ApiException as error:
        if error.status != 410:
            raise
