"""The base of the offline plugins: Pulumi's provider protocol on one side, plain Python handlers on the other.

How to write a plugin::

    from sandbox.plugins.provider import (
        UNKNOWN, Secret, Properties, Provider, Resource, serve, reveal, keep_secrets,
        CheckRequest, CreateRequest, ReadRequest, UpdateRequest, DeleteRequest, InvokeRequest,
        Checked, Failure, State, InvalidInputError, NotFoundError, AlreadyExistsError, InitFailedError,
    )

    class Bucket(Resource):
        supported = frozenset({"name", "token"})     # any other input is refused in Check
        replace_on = frozenset({"name"})             # these replace, all others update
        delete_before_replace = True
        computed = frozenset({"url"})                # unknown in a preview

        def create(self, request: CreateRequest) -> State: ...      # inputs have no UNKNOWN outside of previews
        def read(self, request: ReadRequest) -> State | None: ...   # None: gone. request.state == {}: `.get()`/import
        def update(self, request: UpdateRequest) -> Properties: ...
        def delete(self, request: DeleteRequest) -> None: ...

    class Example(Provider):
        name = "example"
        version = sdk_version("example")                     # that of the package pulumi_example
        supported_config = frozenset({"endpoint"})
        def __init__(self) -> None:
            super().__init__()
            self.resources["example:index/bucket:Bucket"] = Bucket()
        def configure(self, config: Properties) -> None: ...         # config_value(config, "endpoint")
        def invoke(self, request: InvokeRequest) -> Properties: ...

    if __name__ == "__main__":
        serve(Example())

Rules:
- Inputs, states and configs may hold `Secret(value)`. `reveal(x)` unwraps deeply for the service call;
  `keep_secrets(outputs, inputs)` wraps outputs again where the inputs were secret. Return `Secret(...)` for anything
  else that is secret. Numbers that are whole arrive as `int`.
- Without `handles_preview = True`, `create` and `update` are never called in a preview.
- Raise a `ProviderError` with a sentence. Secret inputs of the call are masked in it, also as base64.
  `InitFailedError` records the resource although the operation failed (partial create or update).
- Calls run concurrently in threads; keep no global state. Wait with `provider.cancellation.wait(seconds, what)`, which
  raises when the user cancels. Override `Provider.cancel` only to stop what cannot wait on it (a child process).
- The engine starts the plugin on each command, so keep `__main__`'s imports light: import slow libraries in
  `Provider.warm_up` (a thread that runs once the port is printed), and again where they are used.
- Override `Resource.check` for defaults (auto-names; use `request.random_seed`) and `Resource.diff` for more than
  `replace_on` can say: `Diff(compare(old, new, replace=...), delete_before_replace)`.
"""

from sandbox.plugins.provider.base import Cancellation, Provider, Resource, config_value, sdk_version
from sandbox.plugins.provider.diff import Change, Diff, Kind, Path, compare, render_path
from sandbox.plugins.provider.errors import (
    AlreadyExistsError,
    CancelledError,
    InitFailedError,
    InvalidInputError,
    NotFoundError,
    ProviderError,
    UnreachableError,
)
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
from sandbox.plugins.provider.server import serve
from sandbox.plugins.provider.values import (
    UNKNOWN,
    Asset,
    Properties,
    Secret,
    Unknown,
    has_secret,
    has_unknown,
    keep_secrets,
    marshal,
    reveal,
    unmarshal,
)

__all__ = [
    "UNKNOWN",
    "AlreadyExistsError",
    "Asset",
    "Cancellation",
    "CancelledError",
    "Change",
    "CheckRequest",
    "Checked",
    "CreateRequest",
    "DeleteRequest",
    "Diff",
    "DiffRequest",
    "Failure",
    "InitFailedError",
    "InvalidInputError",
    "InvokeRequest",
    "Kind",
    "NotFoundError",
    "Path",
    "Properties",
    "Provider",
    "ProviderError",
    "ReadRequest",
    "Resource",
    "Secret",
    "State",
    "Unknown",
    "UnreachableError",
    "UpdateRequest",
    "compare",
    "config_value",
    "has_secret",
    "has_unknown",
    "keep_secrets",
    "marshal",
    "render_path",
    "reveal",
    "sdk_version",
    "serve",
    "unmarshal",
]
