"""Whether what is deployed runs, asked of the cluster."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from deploytag.api import CRON_JOBS, DEPLOYMENTS, STATEFUL_SETS
from deploytag.delivery.asking import RefusedError
from deploytag.delivery.cluster import Cluster
from deploytag.delivery.diagnosis.listing import listed
from deploytag.delivery.diagnosis.objects import CronJob, Workload
from deploytag.delivery.diagnosis.workloads import complaints
from deploytag.identity import Identity


def healthy(cluster: Cluster, identity: Identity) -> bool:
    """Whether something is deployed in the environment, and all of it is available at its newest revision.

    Raises:
        UnreachableError: the cluster does not say.
    """
    try:
        return not complaints(*_workloads(cluster, identity.namespace)).get(identity.namespace, ("nothing",))
    except RefusedError:
        # Its namespace is gone, or bare: the rights to look are in it.
        return False


def awake(cluster: Cluster, identity: Identity) -> tuple[str, ...]:
    """What of the environment makes pods, by kind and name, though it sleeps: its chart does not stop it.

    Raises:
        UnreachableError: the cluster does not say.
    """
    deployments, stateful_sets = _workloads(cluster, identity.namespace)
    cron_jobs = listed(cluster, CronJob, CRON_JOBS, identity.namespace)
    return (
        *(f"Deployment {it.name}" for it in deployments if it.spec.replicas),
        *(f"StatefulSet {it.name}" for it in stateful_sets if it.spec.replicas),
        *(f"CronJob {it.name}" for it in cron_jobs if not it.spec.suspend),
    )


def complaints_everywhere(cluster: Cluster, namespaces: Callable[[], Iterable[str]]) -> dict[str, tuple[str, ...]]:
    """What ails in each namespace in which something is deployed; empty: it is healthy.

    Two requests for all; where this user may not ask that, two for each of `namespaces`.

    Raises:
        UnreachableError: the cluster does not say.
    """
    try:
        return complaints(*_workloads(cluster))
    except RefusedError:
        pass
    # Each of them asks twice at the same time: eight requests at once are enough for an API server.
    with ThreadPoolExecutor(4) as threads:
        found = threads.map(partial(_complaints_in, cluster), namespaces())
        return {namespace: said for each in found for namespace, said in each.items()}


def _complaints_in(cluster: Cluster, namespace: str) -> dict[str, tuple[str, ...]]:
    try:
        return complaints(*_workloads(cluster, namespace))
    except RefusedError:
        return {}  # nothing can be in it: the first thing that is made there is the right to look


def _workloads(cluster: Cluster, namespace: str | None = None) -> tuple[Sequence[Workload], Sequence[Workload]]:
    """Its Deployments and its StatefulSets; without a namespace, everybody's."""
    with ThreadPoolExecutor(2) as threads:
        deployments = threads.submit(listed, cluster, Workload, DEPLOYMENTS, namespace)
        stateful_sets = threads.submit(listed, cluster, Workload, STATEFUL_SETS, namespace)
        return deployments.result(), stateful_sets.result()
