"""Whether what is deployed runs: Deployments and StatefulSets available, and rolled out as far as they want. Pure."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from deploytag.delivery.diagnosis.generations import Snapshot
from deploytag.delivery.diagnosis.objects import Pod, Workload

SETTLED = timedelta(seconds=10)
"""How long a container that ended and was started again has to run until it counts: without a readiness probe it is
"available" for as long as each of its short lives."""

_LASTING = frozenset({"ReplicaSet", "StatefulSet", "DaemonSet"})
"""Whose pods are not meant to end."""


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
    old = status.replicas - status.updated_replicas
    # A StatefulSet counts pods that end, and has no two of one number.
    if kind == "Deployment" and old > 0:
        return f"{kind} {workload.name} still has {old} of {status.replicas} pods at an older revision."
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

    What becomes of a pod is seen earlier in it than in what made it, so both are looked at.

    Args:
        snapshot: one namespace.
        now: the time, as its server has it.
    """
    for said in complaints(snapshot.deployments, snapshot.stateful_sets).values():
        if said:
            return said[0]
    return next((said for pod in snapshot.pods if _lasts(pod) for said in _interrupted(pod, now)), None)


def _lasts(pod: Pod) -> bool:
    """Whether its containers are to run on; an evicted pod stays as it ended, and another one replaces it."""
    maker, metadata = pod.metadata.controller, pod.metadata
    ended = metadata.deletion_timestamp is not None or pod.status.phase in {"Succeeded", "Failed"}
    return maker is not None and maker.kind in _LASTING and not ended


def _interrupted(pod: Pod, now: datetime) -> Iterator[str]:
    for status in pod.status.container_statuses:
        if status.state.running is None:
            yield f"Container {status.name} of pod {pod.name} does not run."
    # A sidecar is an init container that goes on.
    for status in (*pod.status.init_container_statuses, *pod.status.container_statuses):
        ended, running = status.last_state.terminated, status.state.running
        # A node's clock and the server's are not quite the same.
        if ended and running and running.started_at and abs(now - running.started_at) < SETTLED:
            yield (
                f"Container {status.name} of pod {pod.name} ended with exit code {ended.exit_code} and was started "
                "again a moment ago."
            )
