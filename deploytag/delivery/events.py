"""What Pulumi's engine says of its work: the JSON lines of `pulumi up --json`. Pure.

The format is `sdk/go/common/apitype/events.go` of pulumi/pulumi. Values of properties are never looked at, but for the
stack's outputs, in which the engine has masked secrets.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

CHANGES = frozenset(
    {"create", "update", "delete", "replace", "create-replacement", "delete-replaced", "import", "read-replacement"}
)
"""Operations that change something. `same`, `read`, `refresh` and `discard` do not."""

MASK = "[secret]"


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
        return self.operation in CHANGES and not self.type.startswith(("pulumi:", "deploytag:index:"))


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

_STATES = {"resourcePreEvent": "begun", "resOutputsEvent": "done", "resOpFailedEvent": "failed"}


def parse(line: str) -> Event | None:
    """The event in a line of output; None for what is none, or says nothing of interest."""
    try:
        document = json.loads(line)
    except ValueError:
        return None
    if not isinstance(document, dict):
        return None
    for key, state in _STATES.items():
        if key in document:
            return _step(document[key]["metadata"], state)
    if "diagnosticEvent" in document:
        return _diagnostic(document["diagnosticEvent"])
    return None


def _diagnostic(event: Mapping[str, Any]) -> Diagnostic | None:
    text, severity = str(event.get("message", "")).rstrip(), str(event.get("severity", "info"))
    if not text or severity == "debug":
        return None
    return Diagnostic(severity, text, event.get("urn", ""), status=bool(event.get("ephemeral")))


def _step(metadata: Mapping[str, Any], state: str) -> Step:
    outputs = None
    if metadata["type"] == "pulumi:pulumi:Stack" and state == "done":
        outputs = (metadata.get("new") or {}).get("outputs") or None
    return Step(metadata["op"], metadata["urn"], metadata["type"], state, outputs)
