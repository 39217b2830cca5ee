"""Field ownership: what we created by a plain create must become ours by server-side apply before the first apply.

A create is a POST, because only that refuses an object that exists (pulumi-kubernetes#4278). The API server then
records our fields as written by an "Update". Applying would leave them with that second owner: removed fields would
stay, changed ones would conflict (kubernetes#99003).
"""

from __future__ import annotations

from typing import Any, Final

from sandbox.plugins.kubernetes.cluster import Cluster, Endpoint
from sandbox.plugins.kubernetes.objects import Object

# Whose writes are taken over, by how their names begin: of `kubectl` also `kubectl-label` and the like. The official
# plugin hands these names to Flux' `ssa` without asking for an exact match (its `await.go`, `fixCSAFieldManagers`).
_KUBECTL: Final = "kubectl"
_PLAIN_PREDECESSORS: Final = (_KUBECTL, "before-first-apply", "pulumi-kubernetes", "pulumi-resource-kubernetes")


def owned_by_apply(managed: list[dict[str, Any]], manager: str) -> list[dict[str, Any]] | None:
    """Return the managed fields with what is taken over turned into applied ones; None if nothing is to be done."""
    ours = [entry for entry in managed if _is_ours(entry, manager)]
    if not ours:
        return None
    rest = [entry for entry in managed if entry not in ours and not _is_applied(entry, manager)]
    applied = [entry for entry in managed if _is_applied(entry, manager)]
    newest = (applied or ours)[-1]
    fields: dict[str, Any] = {}
    for entry in (*applied, *ours):
        fields = _union(fields, entry.get("fieldsV1") or {})
    return [*rest, {**newest, "manager": manager, "operation": "Apply", "fieldsV1": fields}]


def take_over(cluster: Cluster, endpoint: Endpoint, live: Object, manager: str) -> None:
    """Make `manager` the applier of what it, or a predecessor, wrote plainly."""
    metadata = live["metadata"]
    managed = owned_by_apply(metadata.get("managedFields") or [], manager)
    if managed is None:
        return
    cluster.request(
        "patch",
        endpoint.path(metadata.get("namespace") or "", metadata["name"]),
        [
            {"op": "replace", "path": "/metadata/managedFields", "value": managed},
            {"op": "replace", "path": "/metadata/resourceVersion", "value": metadata["resourceVersion"]},
        ],
        content_type="application/json-patch+json",
    )


def _is_ours(entry: dict[str, Any], manager: str) -> bool:
    if entry.get("subresource"):
        return False
    writer = str(entry.get("manager"))
    if entry.get("operation") == "Update":
        return writer == manager or writer.startswith(_PLAIN_PREDECESSORS)
    return entry.get("operation") == "Apply" and writer.startswith(_KUBECTL)


def _is_applied(entry: dict[str, Any], manager: str) -> bool:
    applied = entry.get("operation") == "Apply" and not entry.get("subresource")
    return applied and entry.get("manager") == manager


def _union(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    both = dict(one)
    for key, value in other.items():
        both[key] = _union(both[key], value) if key in both else value
    return both
