"""Whether what is deployed runs: every Deployment and StatefulSet available at its newest revision."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from deploytag.delivery.cluster import Cluster
from deploytag.delivery.listing import listed
from deploytag.delivery.objects import Workload
from deploytag.identity import Identity


def ailing(workload: Workload, kind: str) -> str | None:
    """Why a Deployment or StatefulSet is not healthy; None when it is. One that wants no pods is: it sleeps. Pure."""
    wanted, status = workload.spec.replicas, workload.status
    if status.observed_generation < workload.metadata.generation:
        return f"{kind} {workload.name} was changed a moment ago and is not rolled out yet."
    if status.updated_replicas < wanted:
        return f"{kind} {workload.name} has {status.updated_replicas} of {wanted} pods at its newest revision."
    available = min(status.available_replicas, status.ready_replicas)
    if available < wanted:
        return f"{kind} {workload.name} has {available} of {wanted} pods available."
    if status.replicas > status.updated_replicas:
        return (
            f"{kind} {workload.name} still has {status.replicas - status.updated_replicas} pods of an older revision."
        )
    return None


def healthy(cluster: Cluster, identity: Identity) -> bool:
    """Whether something is deployed in the environment, and all of it is available at its newest revision.

    Raises:
        UnreachableError: the cluster does not say.
    """
    namespace, apps = identity.namespace, cluster.apps
    with ThreadPoolExecutor(2) as threads:
        deployments = threads.submit(listed, Workload, apps.list_namespaced_deployment, namespace)
        stateful_sets = threads.submit(listed, Workload, apps.list_namespaced_stateful_set, namespace)
        return not complaints(deployments.result(), stateful_sets.result()).get(namespace, ("nothing",))


def complaints_everywhere(cluster: Cluster) -> dict[str, tuple[str, ...]]:
    """What ails in each namespace in which something is deployed, in two requests for all; empty: it is healthy.

    Raises:
        UnreachableError: the cluster does not say.
    """
    apps = cluster.apps
    with ThreadPoolExecutor(2) as threads:
        deployments = threads.submit(listed, Workload, apps.list_deployment_for_all_namespaces)
        stateful_sets = threads.submit(listed, Workload, apps.list_stateful_set_for_all_namespaces)
        return complaints(deployments.result(), stateful_sets.result())


def complaints(deployments: Iterable[Workload], stateful_sets: Iterable[Workload]) -> dict[str, tuple[str, ...]]:
    """A sentence for each that ails, by namespace; a namespace with nothing in it is not named. Pure."""
    by_namespace: dict[str, tuple[str, ...]] = {}
    for workloads, kind in ((deployments, "Deployment"), (stateful_sets, "StatefulSet")):
        for it in workloads:
            complaint = ailing(it, kind)
            known = by_namespace.setdefault(it.metadata.namespace, ())
            by_namespace[it.metadata.namespace] = (*known, complaint) if complaint else known
    return by_namespace
