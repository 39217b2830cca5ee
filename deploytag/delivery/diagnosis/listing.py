"""Questions to the API server whose answers are read into models of only what is needed."""

from typing import TypeVar

from kubernetes.client.exceptions import ApiException

from deploytag.api import Resource
from deploytag.delivery.asking import asking
from deploytag.delivery.cluster import Cluster
from deploytag.delivery.diagnosis.objects import KubernetesObject

TIMEOUT = 10
"""Seconds one answer may take."""

Model = TypeVar("Model", bound=KubernetesObject)


def said(error: Exception) -> str:
    """How a person is told what a request raised."""
    return f"{error.status} {error.reason}" if isinstance(error, ApiException) else str(error)


def listed(
    cluster: Cluster, model: type[Model], resource: Resource, namespace: str | None = None, *, fields: str | None = None
) -> tuple[Model, ...]:
    """The objects of a namespace, or of all.

    Raises:
        RefusedError: this user may not list them.
        UnreachableError: the server refuses, there is none, or what it says is not understood.
    """
    with asking(cluster, f"listing the {resource.plural}", f"list {resource.plural}", namespace=namespace):
        found = cluster.api.list(resource, namespace, timeout=TIMEOUT, fields=fields)
        return tuple(model.model_validate(item) for item in found.items)
