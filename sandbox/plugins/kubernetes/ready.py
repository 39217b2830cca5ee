"""When an object is ready: pure functions from the live object to "ready" or to what is missing.

Kinds without an entry are ready as soon as they exist, as with the official plugin. `None` means ready; a text says
what is awaited; `FailedError` says that waiting is pointless.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sandbox.plugins.kubernetes.kinds import Kind
from sandbox.plugins.kubernetes.objects import Object, equivalent
from sandbox.plugins.provider import ProviderError

Check = Callable[[Object], str | None]


class FailedError(ProviderError):
    """The object reached a state it does not leave."""


def _at(obj: Object, *path: str) -> Any:
    value: Any = obj
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _condition(obj: Object, name: str) -> dict[str, Any]:
    conditions = _at(obj, "status", "conditions") or []
    return next((condition for condition in conditions if condition.get("type") == name), {})


def _observed(obj: Object) -> bool:
    return (_at(obj, "status", "observedGeneration") or 0) >= (_at(obj, "metadata", "generation") or 0)


def deployment(obj: Object) -> str | None:
    """All replicas are of the newest template and available."""
    if not _observed(obj):
        return "the controller has not seen the change yet"
    progressing = _condition(obj, "Progressing")
    if progressing.get("reason") == "ProgressDeadlineExceeded":
        raise FailedError(f"The rollout made no progress: {progressing.get('message', '')}")
    wanted = _at(obj, "spec", "replicas")
    wanted = 1 if wanted is None else wanted
    updated, available = _at(obj, "status", "updatedReplicas") or 0, _at(obj, "status", "availableReplicas") or 0
    total = _at(obj, "status", "replicas") or 0
    if updated >= wanted and available >= wanted and total <= updated:
        return None
    return f"{updated} of {wanted} replicas updated, {available} available, {total - updated} old ones left"


def stateful_set(obj: Object) -> str | None:
    """All replicas are of the newest template and ready."""
    if not _observed(obj):
        return "the controller has not seen the change yet"
    wanted = _at(obj, "spec", "replicas")
    wanted = 1 if wanted is None else wanted
    ready = _at(obj, "status", "readyReplicas") or 0
    updated = _at(obj, "status", "updatedReplicas") or 0
    rolled = _at(obj, "status", "currentRevision") == _at(obj, "status", "updateRevision") or updated >= wanted
    return None if ready >= wanted and rolled else f"{ready} of {wanted} replicas ready, {updated} updated"


def daemon_set(obj: Object) -> str | None:
    """Every node has a ready pod of the newest template."""
    if not _observed(obj):
        return "the controller has not seen the change yet"
    wanted = _at(obj, "status", "desiredNumberScheduled") or 0
    updated = _at(obj, "status", "updatedNumberScheduled") or 0
    ready = _at(obj, "status", "numberReady") or 0
    return None if ready >= wanted and updated >= wanted else f"{ready} of {wanted} pods ready, {updated} updated"


def job(obj: Object) -> str | None:
    """The job completed."""
    failed = _condition(obj, "Failed")
    if failed.get("status") == "True":
        raise FailedError(f"The job failed ({failed.get('reason', 'unknown reason')}): {failed.get('message', '')}")
    return None if _condition(obj, "Complete").get("status") == "True" else "the job has not completed"


def pod(obj: Object) -> str | None:
    """The pod is ready, or has run to its end."""
    phase = _at(obj, "status", "phase")
    if phase == "Failed":
        raise FailedError(f"The pod failed: {_at(obj, 'status', 'message') or _at(obj, 'status', 'reason') or ''}")
    if phase == "Succeeded" or _condition(obj, "Ready").get("status") == "True":
        return None
    waiting = [
        f"container {status.get('name')}: {reason}"
        for status in _at(obj, "status", "containerStatuses") or []
        if (reason := _at(status, "state", "waiting", "reason"))
    ]
    return "; ".join(waiting) or f"the pod is {phase or 'not scheduled'}"


def service(obj: Object) -> str | None:
    """A load balancer has its address. (Endpoints are another object: see `needs_endpoints`.)"""
    if _at(obj, "spec", "type") != "LoadBalancer" or _at(obj, "status", "loadBalancer", "ingress"):
        return None
    return "the Service was not allocated an IP address; does the cluster have a load balancer controller?"


def needs_endpoints(obj: Object) -> bool:
    """Whether a Service counts as ready only when it has endpoints."""
    return bool(_at(obj, "spec", "type") != "ExternalName" and _at(obj, "spec", "clusterIP") != "None")


def resource_quota(obj: Object) -> str | None:
    """The controller has taken over the limits."""
    wanted, active = _at(obj, "spec", "hard") or {}, _at(obj, "status", "hard") or {}
    same = wanted.keys() == active.keys() and all(equivalent(wanted[key], active[key]) for key in wanted)
    return None if same else "the quota is not in force yet"


def persistent_volume_claim(obj: Object) -> str | None:
    """The claim is bound."""
    phase = _at(obj, "status", "phase")
    return None if phase == "Bound" else f"the claim is {phase or 'new'}"


def namespace(obj: Object) -> str | None:
    """The namespace exists; one that is being deleted never becomes ready."""
    if _at(obj, "status", "phase") == "Terminating":
        raise FailedError("The namespace is being deleted.")
    return None


CHECKS: dict[tuple[str, str], Check] = {
    ("apps", "Deployment"): deployment,
    ("apps", "StatefulSet"): stateful_set,
    ("apps", "DaemonSet"): daemon_set,
    ("batch", "Job"): job,
    ("", "Pod"): pod,
    ("", "Service"): service,
    ("", "ResourceQuota"): resource_quota,
    ("", "PersistentVolumeClaim"): persistent_volume_claim,
}

# The official plugin awaits these too; doing nothing instead would be a silent difference.
NOT_AWAITED = frozenset({("networking.k8s.io", "Ingress"), ("", "ReplicationController"), ("", "PersistentVolume")})

CHECKED_ON_REFRESH = frozenset(CHECKS) - {("", "ResourceQuota"), ("", "PersistentVolumeClaim")}


def check_for(kind: Kind) -> Check | None:
    """Return the readiness check of a kind, if it has one."""
    return CHECKS.get((kind.group, kind.kind))
