"""A recording engine: answers like the providers would, and keeps every request as the program sent it.

`pulumi.runtime.Mocks` sees neither dependencies nor retain-on-delete nor leaf-level secretness; a monitor that keeps
the registration requests does.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import grpc
import pulumi
from google.protobuf.empty_pb2 import Empty
from google.protobuf.struct_pb2 import Struct, Value
from pulumi.runtime import mocks, rpc, settings
from pulumi.runtime.proto import callback_pb2, callback_pb2_grpc, resource_pb2, resource_pb2_grpc

PROJECT = "shop"
SECRET_SIGNATURE = "1b47061264138c4ac30d75fd1eb44270"
SECRET_ID = "staging/app"
KEY_ID = "staging/database-key"
CANARY = "canary-5f1d"
"""Part of every secret value of this world: found anywhere outside a secret, it has leaked."""


class ProviderRefusedError(grpc.RpcError):
    """A function of a provider failed, as the engine reports it."""

    def __init__(self, details: str) -> None:
        super().__init__(details)
        self._details = details

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.UNKNOWN

    def details(self) -> str:
        return self._details


class Providers(mocks.Mocks):
    """Answers of the services. In a preview, computed properties are left out, as real providers do."""

    def __init__(self, *, preview: bool, secrets: dict[str, dict[str, str]]) -> None:
        self.preview, self.secrets = preview, secrets

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        computed: dict[str, Any] = {}
        match args.typ:
            case "docker-build:index:Image":
                computed = {"ref": f"{_plain(args.inputs['tags'])[0]}@sha256:{'a' * 64}"}
            case "kubernetes:helm.sh/v3:Release":
                computed = {"status": {"name": args.inputs["name"], "namespace": args.inputs["namespace"]}}
            case "kubernetes:core/v1:Service":
                computed = {
                    "status": {"loadBalancer": {"ingress": [{"ip": "172.30.0.200"}]}},
                    "spec": {"ports": [{"port": 80}]},
                }
        state = args.inputs if self.preview else {**args.inputs, **computed}
        return (None if self.preview else f"{args.name}-id"), state

    def call(self, args: mocks.MockCallArgs) -> dict[str, Any]:  # type: ignore[override]  # may be a plain dict
        match args.token:
            case "aws:secretsmanager/getSecretVersion:getSecretVersion":
                found = self.secrets[args.args["secretId"]]
                if not found:
                    raise ProviderRefusedError("ResourceNotFoundException: can't find the specified secret.")
                return {"secretId": args.args["secretId"], **found}
            case "docker:index/getRegistryImage:getRegistryImage":
                return {"name": args.args["name"], "sha256Digest": f"sha256:{'b' * 64}"}
        raise AssertionError(f"the program asked for {args.token}, which this world does not know")


def _plain(value: Any) -> Any:
    return value["value"] if isinstance(value, dict) and value.get(rpc._special_sig_key) == SECRET_SIGNATURE else value


@dataclass(frozen=True)
class Registration:
    """One resource as the program registered it."""

    urn: str
    request: resource_pb2.RegisterResourceRequest

    @property
    def type(self) -> str:
        return self.request.type

    @property
    def inputs(self) -> Struct:
        return self.request.object


class RecordingMonitor(mocks.MockMonitor):
    """Keeps the requests beside answering them."""

    def __init__(self, providers: Providers, stack: str, failing: AbstractSet[str]) -> None:
        super().__init__(providers)
        self.stack, self.failing = stack, failing
        self.registrations: list[Registration] = []
        self.error_hooks: dict[str, callback_pb2.Callback] = {}

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        """The engine's own rule: all the component types above, but not the stack's."""
        above = parent.split("::")[2] if parent else "pulumi:pulumi:Stack"
        qualified = type_ if above == "pulumi:pulumi:Stack" else f"{above}${type_}"
        return f"urn:pulumi:{self.stack}::{PROJECT}::{qualified}::{name}"

    def RegisterResource(self, request: resource_pb2.RegisterResourceRequest) -> Any:
        if request.name in self.failing:
            self._fail(request)
        response = super().RegisterResource(request)  # type: ignore[no-untyped-call]
        if request.type != "pulumi:pulumi:Stack":  # the SDK's own, made at a moment of its choosing
            self.registrations.append(Registration(response.urn, request))
        return response

    def RegisterErrorHook(self, request: resource_pb2.RegisterErrorHookRequest) -> Empty:
        self.error_hooks[request.name] = request.callback
        return Empty()

    def _fail(self, request: resource_pb2.RegisterResourceRequest) -> None:
        """Call the resource's error hooks back, as the engine does; here it is made all the same afterwards."""
        failed = resource_pb2.ErrorHookRequest(name=request.name, type=request.type, failed_operation="create")
        for name in request.hooks.on_error:
            callback = self.error_hooks[name]
            with grpc.insecure_channel(callback.target) as channel:
                invoke = callback_pb2.CallbackInvokeRequest(token=callback.token, request=failed.SerializeToString())
                answer = callback_pb2_grpc.CallbacksStub(channel).Invoke(invoke, timeout=30)
            told = resource_pb2.ErrorHookResponse.FromString(answer.response)
            assert (told.error, told.retry) == ("", False)


class Stub(resource_pb2_grpc.ResourceMonitorStub):
    """A monitor that is a stub by its type: for no other does the SDK serve the calls back."""

    def __init__(self, monitor: RecordingMonitor) -> None:
        self._monitor = monitor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._monitor, name)


@dataclass
class World:
    """What one run of a program left behind."""

    registrations: list[Registration] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)

    def all(self, type_: str) -> list[Registration]:
        return [it for it in self.registrations if it.type == type_]

    def one(self, type_: str) -> Registration:
        (found,) = self.all(type_)
        return found


def run(
    declare: Callable[[], Awaitable[pulumi.Inputs]],
    *,
    stack: str,
    preview: bool = False,
    secrets: dict[str, dict[str, str]] | None = None,
    failing: AbstractSet[str] = frozenset(),
) -> World:
    """Run a program against a fresh recording engine, wait for everything, and return what it registered.

    The error hooks of resources in `failing`, logical names, are called as if they had failed.
    """
    known = {
        SECRET_ID: {"secretString": f'{{"API_TOKEN": "{CANARY}-token"}}', "versionId": "version-1"},
        KEY_ID: {"secretString": f"{CANARY}-key", "versionId": "key-version-1"},
    }
    providers = Providers(preview=preview, secrets={**known, **(secrets or {})})
    world = World()
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    # As Pulumi gives a program that runs with `--parallel 1`: what is made waits in it.
    loop.set_default_executor(ThreadPoolExecutor(max_workers=1))
    try:
        monitor = RecordingMonitor(providers, stack, failing)
        mocks.set_mocks(providers, project=PROJECT, stack=stack, preview=preview, monitor=monitor)
        settings.SETTINGS.monitor = Stub(monitor)

        async def program() -> None:
            outputs = await declare()
            for name, value in outputs.items():
                world.outputs[name] = await pulumi.Output.from_input(value).future()

        loop.run_until_complete(_and_all_registrations(program))
        world.registrations = monitor.registrations
        return world
    finally:
        # What a program that raised left waiting belongs to this loop, and would be awaited by the next one.
        settings.SETTINGS.outputs.clear()
        # So does the server by which hooks are called back.
        loop.run_until_complete(settings._shutdown_callbacks())  # type: ignore[no-untyped-call]
        settings.SETTINGS.callbacks = None
        loop.close()


async def _and_all_registrations(program: Callable[[], Awaitable[None]]) -> None:
    await program()
    await pulumi.runtime.stack.wait_for_rpcs()


def leaves(value: Struct | Value | Any, *, secret: bool = False, path: str = "") -> Iterator[tuple[str, Any, bool]]:
    """Every leaf of a request's inputs: its path, its value, and whether it is inside a secret."""
    if isinstance(value, Struct):
        fields = dict(value.fields)
        signature = fields.get(rpc._special_sig_key)
        if signature is not None and signature.string_value == SECRET_SIGNATURE:
            yield from leaves(fields["value"], secret=True, path=path)
            return
        for name, inner in fields.items():
            yield from leaves(inner, secret=secret, path=f"{path}.{name}" if path else name)
    elif isinstance(value, Value):
        match value.WhichOneof("kind"):
            case "struct_value":
                yield from leaves(value.struct_value, secret=secret, path=path)
            case "list_value":
                for index, inner in enumerate(value.list_value.values):
                    yield from leaves(inner, secret=secret, path=f"{path}[{index}]")
            case kind:
                yield path, getattr(value, kind or "null_value"), secret


def values(registration: Registration) -> dict[str, Any]:
    """The inputs as plain Python, secrets unwrapped."""
    return {path: value for path, value, _ in leaves(registration.inputs)}
