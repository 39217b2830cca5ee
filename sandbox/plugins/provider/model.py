"""What the engine asks of a resource, and what a handler answers: one small dataclass each."""

from __future__ import annotations

from dataclasses import dataclass, field

from sandbox.plugins.provider.values import Properties


@dataclass(frozen=True)
class Request:
    """What every resource operation carries."""

    urn: str
    type: str
    """The token, for example `kubernetes:core/v1:Namespace`."""
    name: str
    """The logical name in the program."""


@dataclass(frozen=True)
class CheckRequest(Request):
    """Validate and complete `inputs`; `old_inputs` is empty for a new resource."""

    inputs: Properties
    old_inputs: Properties
    random_seed: bytes = b""
    """Makes generated names the same in preview and update (empty: none was sent)."""


@dataclass(frozen=True)
class DiffRequest(Request):
    """Compare: `inputs` are the new, checked ones; `state` are the recorded outputs."""

    id: str
    inputs: Properties
    old_inputs: Properties
    state: Properties
    ignore_changes: tuple[str, ...] = ()


@dataclass(frozen=True)
class CreateRequest(Request):
    """Create the resource, or in `preview` say what its outputs would be."""

    inputs: Properties
    preview: bool
    timeout: float | None = None
    """Seconds from `custom_timeouts`, None where the program sets none."""


@dataclass(frozen=True)
class ReadRequest(Request):
    """Read the live resource: a refresh (with `state`), a `.get()` or an import (without)."""

    id: str
    inputs: Properties
    state: Properties
    timeout: float | None = None


@dataclass(frozen=True)
class UpdateRequest(Request):
    """Change the resource in place, or in `preview` say what its outputs would be."""

    id: str
    inputs: Properties
    old_inputs: Properties
    state: Properties
    preview: bool
    timeout: float | None = None
    ignore_changes: tuple[str, ...] = ()


@dataclass(frozen=True)
class DeleteRequest(Request):
    """Delete the resource and return when it is gone."""

    id: str
    old_inputs: Properties
    state: Properties
    timeout: float | None = None


@dataclass(frozen=True)
class InvokeRequest:
    """Call a function: a data source such as `aws:secretsmanager/getSecretVersion:getSecretVersion`."""

    token: str
    args: Properties
    preview: bool


@dataclass(frozen=True)
class Failure:
    """One input that is wrong: its property path and a sentence."""

    property: str
    reason: str


@dataclass(frozen=True)
class Checked:
    """The completed inputs and what is wrong with them."""

    inputs: Properties
    failures: list[Failure] = field(default_factory=list)


@dataclass(frozen=True)
class State:
    """A resource as it is: its id, its outputs and, after a read, the inputs that describe it."""

    id: str
    outputs: Properties
    inputs: Properties | None = None
