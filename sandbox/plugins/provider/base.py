"""The two classes a plugin is made of: `Provider` (configuration, tokens) and `Resource` (one kind of thing)."""

from __future__ import annotations

import importlib.util
import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from sandbox.plugins.provider.diff import Diff, compare
from sandbox.plugins.provider.errors import CancelledError, InvalidInputError
from sandbox.plugins.provider.model import (
    Checked,
    CheckRequest,
    CreateRequest,
    DeleteRequest,
    DiffRequest,
    Failure,
    InvokeRequest,
    ReadRequest,
    State,
    UpdateRequest,
)
from sandbox.plugins.provider.values import UNKNOWN, Properties


class Cancellation:
    """Whether the user has cancelled; long operations wait on it instead of sleeping."""

    def __init__(self) -> None:
        """Start uncancelled."""
        self._event = threading.Event()

    def cancel(self) -> None:
        """Make every wait return at once."""
        self._event.set()

    @property
    def cancelled(self) -> bool:
        """Whether to stop."""
        return self._event.is_set()

    def wait(self, seconds: float, what: str = "the operation") -> None:
        """Wait, and raise as soon as the user cancels."""
        if self._event.wait(seconds):
            raise CancelledError(f"Cancelled while waiting for {what}.")

    def check(self, what: str = "the operation") -> None:
        """Raise if the user has cancelled."""
        self.wait(0, what)


class Resource:
    """One kind of resource. Override what the kind needs; the defaults are written for declarative kinds."""

    supported: ClassVar[frozenset[str] | None] = None
    """Top-level inputs this plugin honours; any other is refused. None: `check` decides itself."""
    replace_on: ClassVar[frozenset[str]] = frozenset()
    """Top-level inputs whose change replaces the resource."""
    delete_before_replace: ClassVar[bool] = False
    """Whether a replacement deletes first, because two cannot be there at once."""
    computed: ClassVar[frozenset[str]] = frozenset()
    """Outputs that are not inputs: unknown in a preview of a create."""
    handles_preview: ClassVar[bool] = False
    """Whether `create` and `update` are also called in preview; else inputs and `computed` make the answer."""

    def check(self, request: CheckRequest) -> Checked:
        """Refuse what is not supported; complete the rest."""
        return Checked(dict(request.inputs), self.unsupported(request.inputs))

    def unsupported(self, inputs: Properties) -> list[Failure]:
        """Return a failure for every input this plugin does not honour."""
        if self.supported is None:
            return []
        return [
            Failure(key, f"the offline plugin does not support the input `{key}`; use the official plugin for it")
            for key in sorted(inputs.keys() - self.supported)
        ]

    def diff(self, request: DiffRequest) -> Diff:
        """Compare old with new inputs."""
        changes = compare(request.old_inputs, request.inputs, self.replace_on)
        return Diff(changes, self.delete_before_replace and any(change.replaces for change in changes))

    def create(self, request: CreateRequest) -> State:
        """Create it."""
        raise NotImplementedError

    def read(self, request: ReadRequest) -> State | None:
        """Read it; None when it is gone."""
        raise NotImplementedError

    def update(self, request: UpdateRequest) -> Properties:
        """Change it and return its outputs."""
        raise NotImplementedError

    def delete(self, request: DeleteRequest) -> None:
        """Delete it; that it is gone already is no error."""
        raise NotImplementedError

    def preview_create(self, request: CreateRequest) -> State:
        """Return the outputs a create would have."""
        if self.handles_preview:
            return self.create(request)
        return State("", {**request.inputs, **dict.fromkeys(self.computed - request.inputs.keys(), UNKNOWN)})

    def preview_update(self, request: UpdateRequest) -> Properties:
        """Return the outputs an update would have."""
        if self.handles_preview:
            return self.update(request)
        kept = {key: value for key, value in request.state.items() if key in self.computed}
        return {**kept, **request.inputs}


class Provider:
    """A plugin: subclass it, fill `resources`, override `configure` and `invoke`, and pass it to `serve`."""

    name: ClassVar[str]
    """The package name, as in `pulumi-resource-NAME`."""
    version: ClassVar[str]
    """The version of the SDK the programs use; a lower one makes the engine warn on each run."""
    supported_config: ClassVar[frozenset[str] | None] = None
    """Provider settings this plugin honours; any other is refused. None: `check_config` decides itself."""

    def __init__(self) -> None:
        """Start unconfigured."""
        self.resources: dict[str, Resource] = {}
        self.cancellation = Cancellation()

    def warm_up(self) -> None:
        """Import what is slow to import; runs in a thread while the engine starts its program."""

    def check_config(self, config: Properties) -> list[Failure]:
        """Refuse provider settings that are not supported."""
        if self.supported_config is None:
            return []
        known = self.supported_config | {"version", "pluginDownloadURL", "__internal"}
        return [
            Failure(key, f"the offline {self.name} plugin does not support the setting `{self.name}:{key}`")
            for key in sorted(config.keys() - known)
        ]

    def configure(self, config: Properties) -> None:
        """Take the settings; connect to nothing yet if that can wait."""

    def resource(self, token: str) -> Resource:
        """Return the handler of `token`."""
        try:
            return self.resources[token]
        except KeyError:
            raise InvalidInputError(
                f"The offline {self.name} plugin does not support the resource type {token}; it knows "
                f"{', '.join(sorted(self.resources)) or 'none'}. Use the official plugin for it."
            ) from None

    def invoke(self, request: InvokeRequest) -> Properties:
        """Call a function."""
        raise InvalidInputError(
            f"The offline {self.name} plugin does not support the function {request.token}; use the official plugin."
        )

    def cancel(self) -> None:
        """Stop what runs, quickly. Handlers that wait on `cancellation` need nothing more."""
        self.cancellation.cancel()


def sdk_version(name: str) -> str:
    """Return the version of the SDK package `pulumi_NAME`, from the file in it that is made for the engine.

    The package itself takes seconds to import, and `importlib.metadata` more than all else that a plugin starts with.
    """
    package = importlib.util.find_spec(f"pulumi_{name}")
    if package is None or package.origin is None:
        raise ImportError(f"The offline {name} plugin needs the package pulumi-{name} beside it: run `uv sync`.")
    described = json.loads(Path(package.origin).with_name("pulumi-plugin.json").read_text())
    return str(described["version"])


def config_value(config: Mapping[str, Any], key: str) -> Any:
    """Return the provider setting `key` as a value.

    The engine passes settings that are not strings as JSON text (`"true"`, `"[1]"`), and some SDKs as values.
    """
    value = config.get(key)
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value
