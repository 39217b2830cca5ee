"""The cluster that a run acts on: opened once, after it proved to be the one the policy expects."""

# The client loads the models of each API when one of them is named, which annotations need not do.
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kubernetes import client

from deploytag.errors import OwnershipError
from deploytag.preflight import cluster as preflight
from deploytag.preflight.endpoints import kubeconfig_path
from deploytag.settings import Cluster as ExpectedCluster


@dataclass(frozen=True, slots=True)
class Cluster:
    """The official client's APIs, all through one connection pool."""

    api: client.ApiClient

    @property
    def core(self) -> client.CoreV1Api:
        """Namespaces, pods, Secrets, ConfigMaps, events."""
        return client.CoreV1Api(self.api)

    @property
    def apps(self) -> client.AppsV1Api:
        """Deployments, ReplicaSets, StatefulSets."""
        return client.AppsV1Api(self.api)

    @property
    def batch(self) -> client.BatchV1Api:
        """Jobs and CronJobs."""
        return client.BatchV1Api(self.api)

    @property
    def coordination(self) -> client.CoordinationV1Api:
        """Leases."""
        return client.CoordinationV1Api(self.api)

    @property
    def discovery(self) -> client.DiscoveryV1Api:
        """EndpointSlices."""
        return client.DiscoveryV1Api(self.api)


def open_cluster(expected: ExpectedCluster, environ: Mapping[str, str]) -> Cluster:
    """A client for the kubeconfig's current context. Asks the cluster nothing.

    Raises:
        UnreachableError: there is no usable kubeconfig.
        OwnershipError: it is not the cluster that the policy expects.
    """
    api, current = preflight.connect(kubeconfig_path(environ))
    if complaint := preflight.unexpected(expected, current):
        raise OwnershipError(complaint)
    return Cluster(api)
