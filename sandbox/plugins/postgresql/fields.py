"""Resources described by a table of fields, from which follows what is checked, defaulted, compared and replaced."""

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from sandbox.plugins.postgresql.server import Server
from sandbox.plugins.provider import (
    UNKNOWN,
    Checked,
    CheckRequest,
    CreateRequest,
    Diff,
    DiffRequest,
    Failure,
    Properties,
    Resource,
    State,
    UpdateRequest,
    compare,
    has_unknown,
    keep_secrets,
    reveal,
)

NAME_BYTES = 63
"""PostgreSQL cuts longer names with no more than a notice, so two long ones can become the same."""

_TYPE_NAMES = {str: "a string", bool: "true or false", int: "a whole number", list: "a list of strings"}


@dataclass(frozen=True)
class Field:
    """One input."""

    type: type
    default: Any = None
    required: bool = False
    replaces: bool = False
    computed: bool = False
    """Where the program says nothing, whatever the server has is right."""
    unordered: bool = False
    is_name: bool = False
    """The name of something in PostgreSQL."""
    only: tuple[Any, ...] | None = None
    """The values that are supported."""

    def complaint(self, value: Any) -> str | None:
        """What is wrong with a known value."""
        if not self._has_type(value):
            return f"must be {_TYPE_NAMES[self.type]}"
        if self.only is not None and value not in self.only:
            allowed = ", ".join(str(item).lower() if isinstance(item, bool) else repr(item) for item in self.only)
            return f"the offline plugin supports only {allowed}; use the official plugin for other values"
        if self.is_name and not value:
            return "must not be empty"
        if self.is_name and len(value.encode()) > NAME_BYTES:
            return f"is {len(value.encode())} bytes long; PostgreSQL would cut it to {NAME_BYTES}"
        return None

    def _has_type(self, value: Any) -> bool:
        if isinstance(value, list):
            return self.type is list and all(isinstance(item, str) for item in value)
        # To Python, True is an int.
        return isinstance(value, self.type) and isinstance(value, bool) == (self.type is bool)


@dataclass(frozen=True)
class Values:
    """The inputs of a resource, known and without their secret wrappers, completed with the defaults."""

    inputs: Properties
    fields: dict[str, Field]

    def __getitem__(self, key: str) -> Any:
        """The input, or its default."""
        given = self.inputs.get(key)
        return self.fields[key].default if given in (None, "") else given

    def changed(self, state: "Values") -> Iterable[str]:
        """The fields whose value differs from another one's."""
        return [
            key for key, field in self.fields.items() if comparable(self[key], field) != comparable(state[key], field)
        ]


class FieldResource(Resource):
    """A resource of this plugin; its subclasses fill `fields` and do the work."""

    fields: ClassVar[dict[str, Field]]
    generated_name: ClassVar[bool] = False
    """Whether a missing `name` is made from the logical one."""

    def __init__(self, server: Server) -> None:
        """Work on one server."""
        self.server = server

    def values(self, inputs: Properties) -> Values:
        """Inputs or a state, for the work."""
        return Values({key: reveal(value) for key, value in inputs.items() if key in self.fields}, self.fields)

    def outputs(self, found: Properties, inputs: Properties) -> Properties:
        """What was found, with the secrets of the inputs secret again."""
        kept = keep_secrets(found, inputs)
        if not isinstance(kept, dict):
            raise TypeError("properties are a dictionary")
        return kept

    def check(self, request: CheckRequest) -> Checked:
        """Refuse unknown, missing and wrong inputs; give the resource a name."""
        inputs = dict(request.inputs)
        inputs.pop("__defaults", None)  # written into the state by the official plugin
        if self.generated_name and not inputs.get("name"):
            inputs["name"] = request.old_inputs.get("name") or _generated_name(request)
        failures = [
            Failure(key, f"the offline plugin does not support the input `{key}`; use the official plugin for it")
            for key in sorted(inputs.keys() - self.fields.keys())
        ]
        for key, field in self.fields.items():
            value = reveal(inputs.get(key))
            if value is None:
                if field.required:
                    failures.append(Failure(key, "is required"))
            elif not has_unknown(value):
                complaint = field.complaint(value)
                if complaint:
                    failures.append(Failure(key, f"`{key}` {complaint}"))
        if not failures and not has_unknown(inputs):
            failures = list(self.complaints(self.values(inputs)))
        return Checked(inputs, failures)

    def complaints(self, values: Values) -> Iterable[Failure]:
        """What is wrong with inputs that are right one by one."""
        return ()

    def diff(self, request: DiffRequest) -> Diff:
        """Compare with the recorded state, not with the old inputs: after a refresh that holds what really is there."""
        old: Properties = {}
        new: Properties = {}
        for key, field in self.fields.items():
            wanted = request.inputs.get(key)
            # DEFAULT is PostgreSQL's word for leaving it to the server.
            if field.computed and wanted in (None, "", "DEFAULT"):
                continue
            old[key] = comparable(reveal(request.state.get(key, field.default)), field)
            new[key] = UNKNOWN if has_unknown(wanted) else comparable(reveal(wanted), field)
        changes = compare(old, new, {key for key, field in self.fields.items() if field.replaces})
        # With names given by the program two of a kind cannot be there at once.
        return Diff(changes, delete_before_replace=any(change.replaces for change in changes))

    def preview_create(self, request: CreateRequest) -> State:
        """The outputs as far as they are known before the server has been asked."""
        return State("", self._planned(request.inputs))

    def preview_update(self, request: UpdateRequest) -> Properties:
        """The outputs as far as they are known before the server has been asked."""
        return {**request.state, **{key: value for key, value in request.inputs.items() if key in self.fields}}

    def _planned(self, inputs: Properties) -> Properties:
        planned = {
            key: UNKNOWN if field.computed else field.default
            for key, field in self.fields.items()
            if field.computed or field.default is not None
        }
        return {**planned, **inputs}


def comparable(value: Any, field: Field) -> Any:
    """A value in the form in which two of them are compared: what is empty equals what is not there."""
    if value in (None, "", []):
        value = field.default
    if field.unordered and isinstance(value, list):
        return sorted(set(value)) or None
    return None if value in ("", []) else value


def _generated_name(request: CheckRequest) -> str:
    seed = request.random_seed + request.urn.encode() if request.random_seed else secrets.token_bytes()
    return f"{request.name}-{hashlib.sha256(seed).hexdigest()[:7]}"
