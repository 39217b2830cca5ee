"""What `Check` does to an object's metadata: generated names, the default namespace, annotations it must refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from sandbox.plugins.kubernetes import ready
from sandbox.plugins.kubernetes.kinds import AUTONAMED, Kind, auto_name
from sandbox.plugins.kubernetes.objects import Object, annotation
from sandbox.plugins.provider import Failure, Properties, Secret, Unknown, reveal

SKIP_AWAIT: Final = "pulumi.com/skipAwait"
TIMEOUT: Final = "pulumi.com/timeoutSeconds"
PATCH_FORCE: Final = "pulumi.com/patchForce"
FIELD_MANAGER: Final = "pulumi.com/patchFieldManager"
PROPAGATION: Final = "pulumi.com/deletionPropagationPolicy"

_SUPPORTED: Final = frozenset({AUTONAMED, SKIP_AWAIT, TIMEOUT, PATCH_FORCE, FIELD_MANAGER, PROPAGATION})


def refused(obj: Object, kind: Kind) -> list[Failure]:
    """Return a failure for everything in `obj` that this plugin would have to ignore."""
    failures = []
    metadata = obj.get("metadata")
    if isinstance(metadata, dict):
        if metadata.get("generateName"):
            reason = "the `.metadata.generateName` field is not supported in Server-Side Apply mode"
            failures.append(Failure("metadata.generateName", reason))
        annotations = metadata.get("annotations")
        for name in sorted(annotations) if isinstance(annotations, dict) else []:
            if name.startswith("pulumi.com/") and name not in _SUPPORTED:
                reason = f"the offline kubernetes plugin does not support the annotation {name}"
                failures.append(Failure(f'metadata.annotations["{name}"]', reason))
    if (kind.group, kind.kind) in ready.NOT_AWAITED and annotation(obj, SKIP_AWAIT) != "true":
        reason = (
            f'the offline kubernetes plugin cannot wait for a {kind.kind}: set the annotation {SKIP_AWAIT}: "true" or '
            "use the official plugin"
        )
        failures.append(Failure("metadata.annotations", reason))
    return failures


def with_name(inputs: Properties, old_inputs: Properties, logical_name: str, seed: bytes) -> Properties:
    """Return the inputs with a name: their own, the one generated before, or a new one."""
    metadata = reveal(inputs.get("metadata", {}))
    if not isinstance(metadata, dict) or metadata.get("name"):
        return inputs
    old = reveal(old_inputs)
    name = old["metadata"]["name"] if annotation(old, AUTONAMED) == "true" else auto_name(logical_name, seed)

    def change(current: Properties) -> Properties:
        annotations = _edit(current.get("annotations", {}), lambda known: {**known, AUTONAMED: "true"})
        return {**current, "name": name, "annotations": annotations}

    return {**inputs, "metadata": _edit(inputs.get("metadata", {}), change)}


def with_namespace(inputs: Properties, namespace: str) -> Properties:
    """Return the inputs with a namespace, theirs or the default one."""
    metadata = reveal(inputs.get("metadata", {}))
    if not isinstance(metadata, dict) or metadata.get("namespace"):
        return inputs
    return {**inputs, "metadata": _edit(inputs.get("metadata", {}), lambda old: {**old, "namespace": namespace})}


def _edit(value: Any, change: Callable[[Properties], Properties]) -> Any:
    """Change a map that may be secret as a whole, or not known yet."""
    if isinstance(value, Secret):
        return Secret(_edit(value.value, change))
    return value if isinstance(value, Unknown) else change(value)
