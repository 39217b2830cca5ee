"""The cluster, through the official client."""

from dataclasses import dataclass

from kubernetes.client import ApiClient, CoordinationV1Api, CoreV1Api


@dataclass(frozen=True)
class Cluster:
    """The cluster that the policy names."""

    api: ApiClient

    @property
    def core(self) -> CoreV1Api:
        """Namespaces, pods, config maps."""
        return CoreV1Api(self.api)

    @property
    def coordination(self) -> CoordinationV1Api:
        """Leases."""
        return CoordinationV1Api(self.api)
