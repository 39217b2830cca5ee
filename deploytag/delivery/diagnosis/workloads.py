"""Whether what is deployed runs: every Deployment and StatefulSet available at its newest revision. Pure."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from deploytag.delivery.diagnosis.generations import Snapshot, generation, newest_generations
from deploytag.delivery.diagnosis.objects import Workload

SETTLED = timedelta(seconds=10)
"""How long a container that ended and was started again has to run until it counts: without a readiness probe it is
"available" for as long as each of its short lives."""


def ailing(workload: Workload, kind: str) -> str | None:
    """Why a Deployment or StatefulSet is not healthy; None when it is. One that wants no pods is: it sleeps."""
    wanted, updated, status = workload.spec.replicas, workload.spec.updated, workload.status
    if status.observed_generation < workload.metadata.generation:
        return f"{kind} {workload.name} was changed a moment ago and is not rolled out yet."
    if status.updated_replicas < updated:
        return f"{kind} {workload.name} has {status.updated_replicas} of {updated} pods at its newest revision."
    available = min(status.available_replicas, status.ready_replicas)
    if available < wanted:
        return f"{kind} {workload.name} has {available} of {wanted} pods available."
    if updated == wanted and status.replicas > status.updated_replicas:
        return (
            f"{kind} {workload.name} still has {status.replicas - status.updated_replicas} pods of an older revision."
        )
    return None


def complaints(deployments: Iterable[Workload], stateful_sets: Iterable[Workload]) -> dict[str, tuple[str, ...]]:
    """A sentence for each that ails, by namespace; a namespace with nothing in it is not named."""
    by_namespace: dict[str, tuple[str, ...]] = {}
    for workloads, kind in ((deployments, "Deployment"), (stateful_sets, "StatefulSet")):
        for it in workloads:
            complaint = ailing(it, kind)
            known = by_namespace.setdefault(it.metadata.namespace, ())
            by_namespace[it.metadata.namespace] = (*known, complaint) if complaint else known
    return by_namespace


def unsettled(snapshot: Snapshot, now: datetime) -> str | None:
    """Why what is deployed cannot be said to run yet; None when it can.

    Args:
        snapshot: one namespace.
        now: the time. Where a node's clock differs, less is seen, and nothing is waited for in vain.
    """
    for said in complaints(snapshot.deployments, snapshot.stateful_sets).values():
        if said:
            return said[0]
    newest = newest_generations(snapshot)
    for pod in snapshot.pods:
        if generation(pod) not in newest or pod.metadata.deletion_timestamp:
            continue
        for status in pod.status.container_statuses:
            ended, running = status.last_state.terminated, status.state.running
            if ended is None or running is None or running.started_at is None:
                continue
            if timedelta() <= now - running.started_at < SETTLED:
                return (
                    f"Container {status.name} of pod {pod.name} ended with exit code {ended.exit_code} and was started "
                    "again a moment ago."
                )
    return None
