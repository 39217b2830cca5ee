"""Objects as an API server sends them, with what a test says of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from deploytag.delivery.diagnosis.generations import Snapshot
from deploytag.delivery.diagnosis.objects import EndpointSlice, Event, Job, Pod, Release, Workload

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
NAMESPACE = "shop-feature-test"


def at(seconds: float) -> str:
    """So many seconds after the start of the story."""
    return (NOW + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def _metadata(
    name: str, uid: str | None = None, made: float = 0, owner: tuple[str, str] | None = None, **more: Any
) -> Any:
    owners = [{"kind": owner[0], "name": owner[1], "uid": owner[1], "controller": True}] if owner else None
    return {
        "name": name,
        "uid": uid or name,
        "namespace": NAMESPACE,
        "creationTimestamp": at(made),
        "ownerReferences": owners,
        **more,
    }


def pod(
    name: str = "web-1",
    owner: tuple[str, str] | None = ("ReplicaSet", "web"),
    *,
    made: float = 0,
    statuses: Any = (),
    init: Any = (),
    conditions: Any = (),
    readiness: dict[str, int] | None = None,
    phase: str = "Running",
    **metadata: Any,
) -> Pod:
    container = {"name": "main", "image": "app:1", "readinessProbe": readiness}
    return Pod.model_validate(
        {
            "metadata": _metadata(name, made=made, owner=owner, **metadata),
            "spec": {"containers": [container]},
            "status": {
                "phase": phase,
                "containerStatuses": list(statuses),
                "initContainerStatuses": list(init),
                "conditions": list(conditions),
            },
        }
    )


def container(state: dict[str, Any], last: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"name": "main", "state": state, "lastState": last or {}, **more}


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return {"waiting": {"reason": reason, "message": message}}


def ended(code: int = 1, began: float = 0, until: float = 1, reason: str = "Error") -> dict[str, Any]:
    return {"terminated": {"exitCode": code, "startedAt": at(began), "finishedAt": at(until), "reason": reason}}


def running(since: float = 0) -> dict[str, Any]:
    return {"running": {"startedAt": at(since)}}


def condition(of: str, status: str, since: float = 0, reason: str = "", message: str = "") -> dict[str, Any]:
    return {"type": of, "status": status, "reason": reason, "message": message, "lastTransitionTime": at(since)}


def event(
    reason: str, message: str = "", *, of: str = "web-1", first: float = 0, last: float | None = None, **involved: Any
) -> Event:
    name = f"{of}.{reason}.{first}.{hash(message)}"
    return Event.model_validate(
        {
            "metadata": _metadata(name),
            "involvedObject": {"kind": "Pod", "name": of, "uid": of, "fieldPath": "spec.containers{main}", **involved},
            "reason": reason,
            "message": message,
            "firstTimestamp": at(first),
            "lastTimestamp": at(first if last is None else last),
        }
    )


def workload(
    name: str = "web",
    *,
    revision: int | None = None,
    owner: tuple[str, str] | None = None,
    made: float = 0,
    replicas: int = 1,
    generation: int = 1,
    **status: Any,
) -> Workload:
    annotations = {"deployment.kubernetes.io/revision": str(revision)} if revision is not None else {}
    return Workload.model_validate(
        {
            "metadata": _metadata(name, made=made, owner=owner, annotations=annotations, generation=generation),
            "spec": {"replicas": replicas},
            "status": {"observedGeneration": generation, **status},
        }
    )


def job(
    name: str = "migrate", *, hook: str | None = "pre-upgrade", owner: tuple[str, str] | None = None, **status: Any
) -> Job:
    annotations = {"helm.sh/hook": hook} if hook else {}
    return Job.model_validate({"metadata": _metadata(name, owner=owner, annotations=annotations), "status": status})


def release(version: int, status: str, made: float = 0, name: str = "shop-feature-test") -> Release:
    labels = {"name": name, "version": str(version), "status": status, "owner": "helm"}
    return Release.model_validate({"metadata": _metadata(f"{name}.v{version}", made=made, labels=labels)})


def endpoints(*pods: str, ready: bool = True, service: str = "shop-feature-test") -> EndpointSlice:
    return EndpointSlice.model_validate(
        {
            "metadata": _metadata(f"{service}-x", labels={"kubernetes.io/service-name": service}),
            "endpoints": [
                {"conditions": {"ready": ready}, "targetRef": {"kind": "Pod", "name": it, "uid": it}} for it in pods
            ]
            or None,
        }
    )


def serving(*pods: Pod, **more: Any) -> Snapshot:
    """Pods of the ReplicaSet `web`, which is the only one."""
    return Snapshot(pods=pods, **{"replica_sets": (workload(),), **more})
