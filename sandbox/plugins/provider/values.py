"""Property values as the engine sends them, and the Python values that handlers work with.

On the wire a property map is a `google.protobuf.Struct`; secrets, assets and the like are objects with a signature
key, unknowns are strings with a fixed content. In Python a value is `None`, `bool`, `int`, `float`, `str`, `list`,
`dict`, `Secret`, `UNKNOWN` or `Asset`. Nothing else crosses the boundary, and a secret stays one on the way back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from google.protobuf import struct_pb2

Properties: TypeAlias = dict[str, Any]
"""A property map: JSON-like, with `Secret`, `UNKNOWN` and `Asset` anywhere inside."""

_SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
_SECRET: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 (a protocol constant)
_OUTPUT: Final = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
_RESOURCE: Final = "5cf8f73096256a8f31e491e813e4eb8e"
_ASSETS: Final = frozenset({"c44067f5952c0a294b673a41bacd8c17", "0def7320c3a5731c473e5ecbe6d01bc7"})
_UNKNOWN: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_UNKNOWNS: Final = frozenset(
    {
        _UNKNOWN,
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",  # bool
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",  # number
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",  # array
        "030794c1-ac77-496b-92df-f27374a8bd58",  # asset
        "e48ece36-62e2-4504-bad9-02848725956a",  # archive
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",  # object
    }
)
_MAX_EXACT_INTEGER: Final = 2**53


class Unknown:
    """The type of `UNKNOWN`: a value that is only known once something else has been created."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Read well in messages."""
        return "UNKNOWN"


UNKNOWN: Final = Unknown()


@dataclass(frozen=True)
class Secret:
    """A value the engine encrypts in the state and masks in what it prints."""

    value: Any

    def __post_init__(self) -> None:
        """Make a secret of a secret one secret."""
        if isinstance(self.value, Secret):
            object.__setattr__(self, "value", self.value.value)

    def __repr__(self) -> str:
        """Never show the value, not even in a traceback."""
        return "Secret([secret])"


@dataclass(frozen=True)
class Asset:
    """A file or an archive (`text`, `path` or `uri`, or `assets`), kept as the engine sent it."""

    fields: Properties

    @property
    def path(self) -> str | None:
        """The file on disk, if that is what it is."""
        return self.fields.get("path") or None

    @property
    def text(self) -> str | None:
        """The content, if it came inline."""
        return self.fields.get("text")


def unmarshal(struct: struct_pb2.Struct) -> Properties:
    """Return the property map that the engine sent; nulls inside objects are dropped, as every provider does."""
    return {key: _from_wire(value) for key, value in struct.fields.items() if not _is_null(value)}


def marshal(properties: Mapping[str, Any]) -> struct_pb2.Struct:
    """Return `properties` in the engine's form."""
    return struct_pb2.Struct(fields={key: _to_wire(value) for key, value in properties.items() if value is not None})


def reveal(value: Any) -> Any:
    """Return `value` without its `Secret` wrappers: for the service, never for a message or an output."""
    if isinstance(value, Secret):
        return reveal(value.value)
    return _map(value, reveal)


def has_unknown(value: Any) -> bool:
    """Whether anything in `value` is unknown."""
    return any(isinstance(leaf, Unknown) for leaf in leaves(value))


def has_secret(value: Any) -> bool:
    """Whether anything in `value` is secret."""
    if isinstance(value, Secret):
        return True
    return any(has_secret(child) for child in _children(value))


def leaves(value: Any) -> Iterator[Any]:
    """Yield every scalar in `value`, secret or not."""
    if isinstance(value, Secret):
        yield from leaves(value.value)
    elif isinstance(value, (dict, list)):
        for child in _children(value):
            yield from leaves(child)
    else:
        yield value


def secret_strings(value: Any, *, inside: bool = False) -> Iterator[str]:
    """Yield every string that is secret in `value`: what no message may contain."""
    if isinstance(value, Secret):
        yield from secret_strings(value.value, inside=True)
    elif isinstance(value, str):
        if inside:
            yield value
    else:
        for child in _children(value):
            yield from secret_strings(child, inside=inside)


def keep_secrets(outputs: Any, inputs: Any) -> Any:
    """Return `outputs` with everything secret that is secret at the same place in `inputs`.

    A provider that accepts secrets must do this itself: the engine then no longer does it. Lists of different length
    cannot be matched item by item, so a secret anywhere in such a list makes the whole output list secret.
    """
    if isinstance(outputs, Secret):
        return outputs
    if isinstance(inputs, Secret):
        return Secret(outputs)
    if isinstance(outputs, dict) and isinstance(inputs, dict):
        return {key: keep_secrets(value, inputs.get(key)) for key, value in outputs.items()}
    if isinstance(outputs, list) and isinstance(inputs, list):
        if len(outputs) == len(inputs):
            return [keep_secrets(new, old) for new, old in zip(outputs, inputs, strict=True)]
        return Secret(outputs) if has_secret(inputs) else outputs
    return outputs


def _children(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def _map(value: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(value, dict):
        return {key: change(child) for key, child in value.items()}
    if isinstance(value, list):
        return [change(child) for child in value]
    return value


def _is_null(value: struct_pb2.Value) -> bool:
    return value.WhichOneof("kind") in ("null_value", None)


def _from_wire(value: struct_pb2.Value) -> Any:
    match value.WhichOneof("kind"):
        case "bool_value":
            return value.bool_value
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() and abs(number) <= _MAX_EXACT_INTEGER else number
        case "string_value":
            return UNKNOWN if value.string_value in _UNKNOWNS else value.string_value
        case "list_value":
            return [_from_wire(item) for item in value.list_value.values]
        case "struct_value":
            return _object_from_wire(value.struct_value)
        case _:
            return None


def _object_from_wire(struct: struct_pb2.Struct) -> Any:
    signature = struct.fields[_SIGNATURE].string_value if _SIGNATURE in struct.fields else ""
    if not signature:
        return unmarshal(struct)
    if signature == _SECRET:
        return Secret(_from_wire(struct.fields["value"]) if "value" in struct.fields else None)
    if signature == _OUTPUT:
        value = _from_wire(struct.fields["value"]) if "value" in struct.fields else UNKNOWN
        return Secret(value) if "secret" in struct.fields and struct.fields["secret"].bool_value else value
    if signature in _ASSETS:
        return Asset(unmarshal(struct))
    if signature == _RESOURCE:
        identifier = struct.fields.get("id")
        return _from_wire(identifier) if identifier is not None else struct.fields["urn"].string_value
    raise ValueError("The engine sent a property of a kind that this plugin does not know.")


def _to_wire(value: Any) -> struct_pb2.Value:
    wire = struct_pb2.Value()
    match value:
        case None:
            wire.null_value = struct_pb2.NULL_VALUE
        case Unknown():
            wire.string_value = _UNKNOWN
        case Secret():
            wire.struct_value.fields[_SIGNATURE].string_value = _SECRET
            wire.struct_value.fields["value"].CopyFrom(_to_wire(value.value))
        case Asset():
            wire.struct_value.CopyFrom(marshal(value.fields))
        case bool():
            wire.bool_value = value
        case int() | float():
            wire.number_value = value
        case str():
            wire.string_value = value
        case list() | tuple():
            wire.list_value.values.extend(_to_wire(item) for item in value)
            wire.list_value.SetInParent()
        case Mapping():
            wire.struct_value.CopyFrom(marshal(value))
        case _:
            raise TypeError(f"A {type(value).__name__} is not a property value.")
    return wire
