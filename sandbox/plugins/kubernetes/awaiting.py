"""Waiting: until an object is ready, until it is gone."""

from __future__ import annotations

import json
import time
from typing import Final

from sandbox.plugins.kubernetes import names, ready
from sandbox.plugins.kubernetes.cluster import ApiError, Cluster, Endpoint, TimedOutError
from sandbox.plugins.kubernetes.kinds import Kind
from sandbox.plugins.kubernetes.objects import Object, annotation
from sandbox.plugins.provider import NotFoundError, ProviderError

_READY_TIMEOUT: Final = 600.0
_GONE_TIMEOUT: Final = 300.0
_PROPAGATION: Final = {"foreground": "Foreground", "background": "Background", "orphan": "Orphan"}


def _timeout(inputs: Object, given: float | None, default: float) -> float:
    """Custom timeouts of the resource win over the (older) annotation."""
    if given:
        return given
    written = annotation(inputs, names.TIMEOUT)
    return float(written) if written.isdigit() else default


def await_ready(cluster: Cluster, endpoint: Endpoint, live: Object, timeout: float | None) -> tuple[Object, str]:
    """Wait until the object is ready; return it as it is now, and why it is not ready ("": it is)."""
    check = ready.check_for(endpoint.kind)
    if check is None or annotation(live, names.SKIP_AWAIT) == "true":
        return live, ""
    namespace, name = live["metadata"].get("namespace") or "", live["metadata"]["name"]
    what = f"{endpoint.kind.kind} {name}"
    latest, missing = live, ""

    def decide(obj: Object | None) -> bool | None:
        nonlocal latest, missing
        if obj is None:
            raise ready.FailedError("it was deleted meanwhile")
        latest = obj
        missing = check(obj) or ""
        return None if missing else True

    seconds = _timeout(live, timeout, _READY_TIMEOUT)
    deadline = time.monotonic() + seconds
    try:
        cluster.await_object(endpoint, namespace, name, decide, timeout=seconds, what=what)
        if endpoint.kind.kind == "Service" and not endpoint.kind.group and ready.needs_endpoints(latest):
            missing = _NO_ENDPOINTS
            _await_endpoints(cluster, namespace, name, deadline - time.monotonic())
    except TimedOutError as error:
        return latest, f"{error} {missing}"
    except ProviderError as error:
        # Whatever it is, the object is there: the caller reports it with the state that it has.
        return latest, str(error)
    return latest, ""


_NO_ENDPOINTS: Final = (
    "Service does not target any Pods. Selected Pods may not be ready, or field '.spec.selector' may not match labels "
    "on any Pods"
)


def _await_endpoints(cluster: Cluster, namespace: str, name: str, seconds: float) -> None:
    cluster.await_object(
        cluster.endpoint(Kind("", "v1", "Endpoints")),
        namespace,
        name,
        lambda obj: True if obj and obj.get("subsets") else None,
        timeout=max(0.0, seconds),
        what=f"the endpoints of Service {name}",
    )


def not_ready_reason(cluster: Cluster, endpoint: Endpoint, live: Object) -> str:
    """Return why an object that is being refreshed is not ready ("": it is, or nobody waits for its kind)."""
    kind = endpoint.kind
    check = ready.check_for(kind)
    skipped = annotation(live, names.SKIP_AWAIT) == "true"
    if check is None or skipped or (kind.group, kind.kind) not in ready.CHECKED_ON_REFRESH:
        return ""
    try:
        missing = check(live)
    except ready.FailedError as error:
        return str(error)
    if missing or kind.kind != "Service" or not ready.needs_endpoints(live):
        return missing or ""
    namespace, name = live["metadata"].get("namespace") or "", live["metadata"]["name"]
    endpoints = cluster.get(cluster.endpoint(Kind("", "v1", "Endpoints")), namespace, name)
    return "" if endpoints and endpoints.get("subsets") else _NO_ENDPOINTS


def await_gone(
    cluster: Cluster, endpoint: Endpoint, namespace: str, name: str, *, inputs: Object, timeout: float | None
) -> None:
    """Delete an object and wait until it is gone; that it is gone already is no error."""
    policy = annotation(inputs, names.PROPAGATION).lower() or "foreground"
    if policy not in _PROPAGATION:
        raise ProviderError(f"The annotation {names.PROPAGATION} of {endpoint.kind.kind} {name} knows no {policy!r}.")
    live = cluster.get(endpoint, namespace, name)
    if live is None:
        return
    identity, latest = live["metadata"]["uid"], live
    try:
        cluster.request("delete", endpoint.path(namespace, name), propagation_policy=_PROPAGATION[policy])
    except NotFoundError:
        return
    except ApiError as error:
        raise ProviderError(f"{endpoint.kind.kind} {name} could not be deleted: {error}") from error
    if annotation(inputs, names.SKIP_AWAIT) == "true":
        return

    def decide(obj: Object | None) -> bool | None:
        nonlocal latest
        if obj is None or obj["metadata"]["uid"] != identity:
            return True
        latest = obj
        return None

    seconds = _timeout(inputs, timeout, _GONE_TIMEOUT)
    what = f"{endpoint.kind.kind} {name} to be deleted"
    try:
        cluster.await_object(endpoint, namespace, name, decide, timeout=seconds, what=what)
    except TimedOutError as error:
        raise TimedOutError(f"{error} {_what_holds_it(latest)}") from error


def _what_holds_it(obj: Object) -> str:
    """Say what keeps a deleted object: its finalizers, and what a namespace says of its content."""
    finalizers = [*(obj["metadata"].get("finalizers") or []), *((obj.get("spec") or {}).get("finalizers") or [])]
    parts = [f"It still has the finalizers {json.dumps(finalizers)}."] if finalizers else []
    conditions = (obj.get("status") or {}).get("conditions") or []
    parts += [str(each["message"]) for each in conditions if each.get("status") == "True" and each.get("message")]
    return " ".join(parts) or "It still exists."
