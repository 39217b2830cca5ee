"""Whether what is deployed runs, asked of the cluster."""

from concurrent.futures import ThreadPoolExecutor

from deploytag.delivery.cluster import Cluster
from deploytag.delivery.diagnosis.listing import listed
from deploytag.delivery.diagnosis.objects import Workload
from deploytag.delivery.diagnosis.workloads import complaints
from deploytag.identity import Identity


def healthy(cluster: Cluster, identity: Identity) -> bool:
    """Whether something is deployed in the environment, and all of it is available at its newest revision.

    Raises:
        UnreachableError: the cluster does not say.
    """
    namespace, apps = identity.namespace, cluster.apps
    with ThreadPoolExecutor(2) as threads:
        deployments = threads.submit(
            listed, cluster, "deployments", Workload, apps.list_namespaced_deployment, namespace
        )
        stateful_sets = threads.submit(
            listed, cluster, "stateful sets", Workload, apps.list_namespaced_stateful_set, namespace
        )
        return not complaints(deployments.result(), stateful_sets.result()).get(namespace, ("nothing",))


def complaints_everywhere(cluster: Cluster) -> dict[str, tuple[str, ...]]:
    """What ails in each namespace in which something is deployed, in two requests for all; empty: it is healthy.

    Raises:
        UnreachableError: the cluster does not say.
    """
    apps = cluster.apps
    with ThreadPoolExecutor(2) as threads:
        deployments = threads.submit(listed, cluster, "deployments", Workload, apps.list_deployment_for_all_namespaces)
        stateful_sets = threads.submit(
            listed, cluster, "stateful sets", Workload, apps.list_stateful_set_for_all_namespaces
        )
        return complaints(deployments.result(), stateful_sets.result())
