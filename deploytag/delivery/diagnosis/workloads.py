"""Whether what is deployed runs: every Deployment and StatefulSet available at its newest revision. Pure."""

from collections.abc import Iterable

from deploytag.delivery.diagnosis.objects import Workload


def ailing(workload: Workload, kind: str) -> str | None:
    """Why a Deployment or StatefulSet is not healthy; None when it is. One that wants no pods is: it sleeps."""
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


def complaints(deployments: Iterable[Workload], stateful_sets: Iterable[Workload]) -> dict[str, tuple[str, ...]]:
    """A sentence for each that ails, by namespace; a namespace with nothing in it is not named."""
    by_namespace: dict[str, tuple[str, ...]] = {}
    for workloads, kind in ((deployments, "Deployment"), (stateful_sets, "StatefulSet")):
        for it in workloads:
            complaint = ailing(it, kind)
            known = by_namespace.setdefault(it.metadata.namespace, ())
            by_namespace[it.metadata.namespace] = (*known, complaint) if complaint else known
    return by_namespace
