"""The official client's typed APIs, with which tests look: not by the product's own way of asking."""

from typing import Any

from kubernetes import client

from deploytag.delivery.cluster import Cluster


def core(cluster: Cluster) -> Any:
    """Pods, Secrets, ConfigMaps, namespaces."""
    return client.CoreV1Api(cluster.api.client)


def coordination(cluster: Cluster) -> Any:
    """Leases."""
    return client.CoordinationV1Api(cluster.api.client)


def apps(cluster: Cluster) -> Any:
    """Deployments."""
    return client.AppsV1Api(cluster.api.client)
