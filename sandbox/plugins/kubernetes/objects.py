"""Between property maps (with secrets, as the engine has them) and objects (plain, as the cluster has them).

The state of an object is the live object with three keys more, as the official plugin writes them: `__inputs`,
`__initialApiVersion` and `__fieldManager`.
"""

from __future__ import annotations

import base64
import binascii
import copy
import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from sandbox.plugins.provider import Properties, Secret, keep_secrets, reveal

Object = dict[str, Any]
"""A Kubernetes object, plain."""

INPUTS: Final = "__inputs"
API_VERSION: Final = "__initialApiVersion"
FIELD_MANAGER: Final = "__fieldManager"

_SERVER_METADATA: Final = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
)
_QUANTITY: Final = re.compile(r"([+-]?[0-9.]+)(m|k|Ki|Mi|Gi|Ti|Pi|Ei|M|G|T|P|E|[eE][+-]?[0-9]+)?")
_FACTORS: Final = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    **{unit: Decimal(1000) ** power for power, unit in enumerate("kMGTPE", 1)},
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", 1)},
}


def to_object(properties: Properties) -> Object:
    """Return the plain object for the cluster, without the keys of the state."""
    plain = {key: value for key, value in reveal(properties).items() if not key.startswith("__")}
    result: Object = _rename(plain, lambda key: key.replace("_", "-") if key.startswith("x_kubernetes_") else key)
    return result


def to_properties(obj: Object) -> Properties:
    """Return the object as the SDK names its properties; a Secret's content is secret whatever the program says."""
    result: Properties = _rename(obj, lambda key: key.replace("-", "_") if key.startswith("x-kubernetes-") else key)
    return protect(result)


def protect(properties: Properties) -> Properties:
    """Wrap `data` and `stringData` of a Secret."""
    if reveal(properties.get("kind")) != "Secret":
        return properties
    wrapped: Properties = {key: Secret(properties[key]) for key in ("data", "stringData") if key in properties}
    return {**properties, **wrapped}


def to_state(inputs: Properties, live: Object, field_manager: str) -> Properties:
    """Return what is recorded: the live object, secret where the inputs are, and how it came about."""
    outputs = keep_secrets(to_properties(live), inputs)
    return {
        **outputs,
        INPUTS: protect({key: value for key, value in inputs.items() if not key.startswith("__")}),
        API_VERSION: reveal(inputs.get("apiVersion")) or live["apiVersion"],
        FIELD_MANAGER: field_manager,
    }


def without_server_fields(obj: Object) -> Object:
    """Return `obj` without what only the server writes: what could be its inputs."""
    result = {key: copy.deepcopy(value) for key, value in obj.items() if key != "status"}
    metadata = result.get("metadata")
    if isinstance(metadata, dict):
        for key in _SERVER_METADATA:
            metadata.pop(key, None)
    return result


def annotation(obj: Object, name: str) -> str:
    """Return the annotation, or ""."""
    metadata = obj.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    value = annotations.get(name) if isinstance(annotations, dict) else None
    return value if isinstance(value, str) else ""


def live_inputs(live: Object, inputs: Object) -> Object:
    """Return `inputs` with the values that `live` has now: what a refresh records, so that drift becomes a diff.

    Where the cluster only writes a value differently (`1000m` as `1`, `stringData` as `data`), the input stays.
    """
    result: Object = merge_live(live, {key: value for key, value in inputs.items() if key != "stringData"})
    if "stringData" in inputs:
        result["stringData"] = _live_string_data(live.get("data") or {}, inputs["stringData"])
    return result


def _live_string_data(data: dict[str, str], wanted: dict[str, str]) -> dict[str, str]:
    found = {}
    for key in wanted:
        if key in data:
            try:
                found[key] = base64.b64decode(data[key]).decode()
            except (binascii.Error, UnicodeDecodeError):
                found[key] = ""
    return found


def merge_live(live: Any, wanted: Any) -> Any:
    """Return `wanted` with what `live` has in the same places."""
    if isinstance(live, dict) and isinstance(wanted, dict):
        return {key: merge_live(live[key], value) for key, value in wanted.items() if key in live}
    if isinstance(live, list) and isinstance(wanted, list):
        # What the cluster appends to a list (injected volumes, tolerations) is not an input.
        return [merge_live(one, other) for one, other in zip(live, wanted, strict=False)]
    return wanted if equivalent(live, wanted) else live


def equivalent(one: Any, other: Any) -> bool:
    """Whether two scalars mean the same to Kubernetes."""
    if one == other and isinstance(one, bool) == isinstance(other, bool):
        return True
    first, second = _quantity(one), _quantity(other)
    return first is not None and first == second


def _quantity(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    match = _QUANTITY.fullmatch(str(value))
    if match is None:
        return None
    number, unit = match.group(1), match.group(2) or ""
    try:
        return Decimal(number) * _FACTORS[unit] if unit in _FACTORS else Decimal(number + unit)
    except InvalidOperation:
        return None


def _rename(value: Any, rename: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {rename(key): _rename(child, rename) for key, child in value.items()}
    if isinstance(value, list):
        return [_rename(child, rename) for child in value]
    return value
