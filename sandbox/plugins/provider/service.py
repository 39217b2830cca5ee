"""The provider protocol: one gRPC method each, from messages to handlers and back."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf import empty_pb2

from sandbox.plugins.provider import model
from sandbox.plugins.provider.answers import answer
from sandbox.plugins.provider.base import Provider
from sandbox.plugins.provider.diff import Diff, compare, render_path
from sandbox.plugins.provider.errors import InvalidInputError
from sandbox.plugins.provider.values import marshal, unmarshal

if TYPE_CHECKING:
    from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc
else:
    from sandbox.plugins.provider.pb import plugin_pb2, provider_pb2, provider_pb2_grpc


class Service(provider_pb2_grpc.ResourceProviderServicer):
    """Serves one `Provider`; calls run concurrently."""

    def __init__(self, provider: Provider) -> None:
        """Serve `provider`."""
        self.provider = provider

    # What the engine asks about the plugin itself.

    def Handshake(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Say what this plugin understands."""
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True)

    def Attach(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Accept an engine that connects to a running plugin (`PULUMI_DEBUG_PROVIDERS`)."""
        return empty_pb2.Empty()

    def GetPluginInfo(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Return the version."""
        return plugin_pb2.PluginInfo(version=self.provider.version)

    def GetSchema(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Return a schema with the name and nothing else: enough for an engine that only looks."""
        schema = {"name": self.provider.name, "version": self.provider.version}
        return provider_pb2.GetSchemaResponse(schema=json.dumps(schema))

    def GetMapping(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Return no mapping."""
        return provider_pb2.GetMappingResponse()

    def GetMappings(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Return no mapping."""
        return provider_pb2.GetMappingsResponse()

    def Cancel(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Stop running operations."""
        self.provider.cancel()
        return empty_pb2.Empty()

    # Configuration.

    def CheckConfig(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Refuse settings that are not supported."""

        def call() -> Any:
            failures = self.provider.check_config(unmarshal(request.news))
            return provider_pb2.CheckResponse(inputs=request.news, failures=_failures(failures))

        return answer(context, call, request.news)

    def DiffConfig(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Changed settings are taken over; they replace no resource."""

        def call() -> Any:
            old = unmarshal(request.old_inputs) or unmarshal(request.olds)
            return _diff_response(Diff(compare(old, unmarshal(request.news))))

        return answer(context, call, request.news, request.olds)

    def Configure(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Hand the settings to the provider."""

        def call() -> Any:
            prefix = f"{self.provider.name}:config:"
            config = {key.removeprefix(prefix): value for key, value in request.variables.items()}
            self.provider.configure({**config, **unmarshal(request.args)})
            return provider_pb2.ConfigureResponse(acceptSecrets=True, supportsPreview=True)

        return answer(context, call, request.args)

    # Functions and resources.

    def Invoke(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Call a function."""

        def call() -> Any:
            arguments = model.InvokeRequest(request.tok, unmarshal(request.args), request.preview)
            result: dict[str, Any] = {"return": marshal(self.provider.invoke(arguments))}  # a keyword in Python
            return provider_pb2.InvokeResponse(**result)

        return answer(context, call, request.args)

    def Construct(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Refuse components."""
        return answer(context, lambda: self._refuse(request.type))

    def Call(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Refuse methods of components."""
        return answer(context, lambda: self._refuse(request.tok))

    def _refuse(self, token: str) -> Any:
        raise InvalidInputError(
            f"The offline {self.provider.name} plugin does not support the component {token}; use the official plugin."
        )

    def Check(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Validate and complete inputs."""

        def call() -> Any:
            checked = self.provider.resource(_type(request)).check(
                model.CheckRequest(
                    *_identity(request), unmarshal(request.news), unmarshal(request.olds), request.randomSeed
                )
            )
            return provider_pb2.CheckResponse(inputs=marshal(checked.inputs), failures=_failures(checked.failures))

        return answer(context, call, request.news, request.olds)

    def Diff(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Compare."""

        def call() -> Any:
            diff = self.provider.resource(_type(request)).diff(
                model.DiffRequest(
                    *_identity(request),
                    request.id,
                    unmarshal(request.news),
                    unmarshal(request.old_inputs),
                    unmarshal(request.olds),
                    tuple(request.ignoreChanges),
                )
            )
            return _diff_response(diff)

        return answer(context, call, request.news, request.old_inputs, request.olds)

    def Create(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Create, or preview it."""

        def call() -> Any:
            resource = self.provider.resource(_type(request))
            arguments = model.CreateRequest(
                *_identity(request), unmarshal(request.properties), request.preview, request.timeout or None
            )
            state = resource.preview_create(arguments) if request.preview else resource.create(arguments)
            return provider_pb2.CreateResponse(id=state.id, properties=marshal(state.outputs))

        return answer(context, call, request.properties)

    def Read(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Read; an empty answer says that it is gone."""

        def call() -> Any:
            state = self.provider.resource(_type(request)).read(
                model.ReadRequest(
                    *_identity(request),
                    request.id,
                    unmarshal(request.inputs),
                    unmarshal(request.properties),
                    request.timeout or None,
                )
            )
            if state is None:
                return provider_pb2.ReadResponse()
            inputs = unmarshal(request.inputs) if state.inputs is None else state.inputs
            return provider_pb2.ReadResponse(id=state.id, properties=marshal(state.outputs), inputs=marshal(inputs))

        return answer(context, call, request.properties, request.inputs)

    def Update(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Change in place, or preview it."""

        def call() -> Any:
            resource = self.provider.resource(_type(request))
            arguments = model.UpdateRequest(
                *_identity(request),
                request.id,
                unmarshal(request.news),
                unmarshal(request.old_inputs),
                unmarshal(request.olds),
                request.preview,
                request.timeout or None,
                tuple(request.ignoreChanges),
            )
            outputs = resource.preview_update(arguments) if request.preview else resource.update(arguments)
            return provider_pb2.UpdateResponse(properties=marshal(outputs))

        return answer(context, call, request.news, request.old_inputs, request.olds)

    def Delete(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Delete."""

        def call() -> Any:
            self.provider.resource(_type(request)).delete(
                model.DeleteRequest(
                    *_identity(request),
                    request.id,
                    unmarshal(request.old_inputs),
                    unmarshal(request.properties),
                    request.timeout or None,
                )
            )
            return empty_pb2.Empty()

        return answer(context, call, request.properties, request.old_inputs)


def _type(request: Any) -> str:
    return str(request.type or request.urn.split("::")[2].split("$")[-1])


def _identity(request: Any) -> tuple[str, str, str]:
    return request.urn, _type(request), request.name or request.urn.split("::", 3)[-1]


def _failures(failures: Iterable[model.Failure]) -> list[Any]:
    return [provider_pb2.CheckFailure(property=failure.property, reason=failure.reason) for failure in failures]


def _diff_response(diff: Diff) -> Any:
    detailed = {
        render_path(change.path): provider_pb2.PropertyDiff(
            kind=provider_pb2.PropertyDiff.Kind.Value(change.kind.value + ("_REPLACE" if change.replaces else "")),
            inputDiff=True,
        )
        for change in diff.changes
    }
    return provider_pb2.DiffResponse(
        changes=provider_pb2.DiffResponse.DIFF_SOME if diff.changes else provider_pb2.DiffResponse.DIFF_NONE,
        diffs=sorted({str(change.path[0]) for change in diff.changes}),
        replaces=sorted({str(change.path[0]) for change in diff.changes if change.replaces}),
        stables=diff.stables,
        deleteBeforeReplace=diff.delete_before_replace,
        detailedDiff=detailed,
        hasDetailedDiff=bool(diff.changes),
    )
