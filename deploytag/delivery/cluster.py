"""The cluster that a run acts on: opened once, after it proved to be the one the policy expects."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from deploytag.api import Api
from deploytag.errors import OwnershipError
from deploytag.preflight import cluster as preflight
from deploytag.preflight.endpoints import kubeconfig_path
from deploytag.settings import Cluster as ExpectedCluster


@dataclass(frozen=True, slots=True)
class Cluster:
    """The cluster, through one connection pool."""

    api: Api


def open_cluster(expected: ExpectedCluster, environ: Mapping[str, str]) -> Cluster:
    """A client for the kubeconfig's current context. Asks the cluster nothing.

    Raises:
        UnreachableError: there is no usable kubeconfig, or the command that it names for credentials does not end.
        OwnershipError: it is not the cluster that the policy expects.
    """
    api, current = asyncio.run(preflight.connect_in_time(kubeconfig_path(environ)))
    if complaint := preflight.unexpected(expected, current):
        raise OwnershipError(complaint)
    return Cluster(api)
