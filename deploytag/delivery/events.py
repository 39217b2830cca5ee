"""What Pulumi's engine says of its work: the JSON lines of `pulumi up --json`. Pure.

The format is `sdk/go/common/apitype/events.go` of pulumi/pulumi. Values of properties are never looked at, but for the
stack's outputs, in which the engine has masked secrets.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deploytag.delivery import resource_types
from deploytag.documents import DocumentError, parse_json

CHANGES = frozenset(
    {"create", "update", "delete", "replace", "create-replacement", "delete-replaced", "import", "read-replacement"}
)
"""Operations that change something. `same`, `read`, `refresh` and `discard` do not."""


@dataclass(frozen=True, slots=True)
class Step:
    """The engine began, finished or failed to work on one resource."""

    operation: str
    urn: str
    type: str
    state: str
    """`begun`, `done` or `failed`."""
    outputs: Mapping[str, Any] | None = None
    """Of the stack itself only."""

    @property
    def name(self) -> str:
        """The logical name."""
        return self.urn.rsplit("::", 1)[-1]

    @property
    def kind(self) -> str:
        """The last word of the type: `Namespace`, `Image`."""
        return self.type.rsplit(":", 1)[-1]

    @property
    def changes(self) -> bool:
        """Whether it changes something that exists outside the state."""
        inside = (resource_types.ENGINE, resource_types.COMPONENTS)
        return self.operation in CHANGES and not self.type.startswith(inside)


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """A message of the engine, a provider or the program."""

    severity: str
    """`info`, `info#err`, `warning` or `error`."""
    message: str
    urn: str
    status: bool = False
    """Whether it only says how far something is: a display would show it for a moment."""

    @property
    def type(self) -> str:
        """The type of the resource it is about; empty where it is about none."""
        parts = self.urn.split("::")
        return parts[2].rsplit("$", 1)[-1] if len(parts) > 3 else ""


Event = Step | Diagnostic


def parse(line: str) -> Event | None:
    """The event in a line of output; None for what is none, or says nothing of interest."""
    try:
        document = parse_json(line)
    except DocumentError:
        return None
    # A program can print what looks like an event. One that is not of the engine's form is none.
    match document:
        case {"diagnosticEvent": {**event}}:
            return _diagnostic(event)
        case {"resourcePreEvent": {"metadata": {**metadata}}}:
            return _step(metadata, "begun")
        case {"resOutputsEvent": {"metadata": {**metadata}}}:
            return _step(metadata, "done")
        case {"resOpFailedEvent": {"metadata": {**metadata}}}:
            return _step(metadata, "failed")
    return None


def _diagnostic(event: Mapping[Any, Any]) -> Diagnostic | None:
    text, severity = str(event.get("message", "")).rstrip(), str(event.get("severity", "info"))
    if not text or severity == "debug":
        return None
    return Diagnostic(severity, text, str(event.get("urn", "")), status=bool(event.get("ephemeral")))


def _step(metadata: Mapping[Any, Any], state: str) -> Step | None:
    match metadata:
        case {"type": resource_types.STACK, "op": str(op), "urn": str(urn), "new": {"outputs": {**outputs}}} if (
            outputs and state == "done"
        ):
            return Step(op, urn, resource_types.STACK, state, {str(key): value for key, value in outputs.items()})
        case {"type": str(type_), "op": str(op), "urn": str(urn)}:
            return Step(op, urn, type_, state)
    return None
