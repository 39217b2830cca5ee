"""Any plain kind: create, read, update and delete, as the official plugin does it with server-side apply."""

from __future__ import annotations

from typing import Any, Final

from sandbox.plugins.kubernetes import names
from sandbox.plugins.kubernetes.awaiting import await_gone, await_ready, not_ready_reason
from sandbox.plugins.kubernetes.cluster import ApiError, Cluster, Endpoint, UnknownKindError
from sandbox.plugins.kubernetes.kinds import Kind, field_manager_name, object_id, split_id
from sandbox.plugins.kubernetes.objects import (
    FIELD_MANAGER,
    Object,
    annotation,
    live_inputs,
    protect,
    to_object,
    to_properties,
    to_state,
    without_server_fields,
)
from sandbox.plugins.kubernetes.ownership import take_over
from sandbox.plugins.kubernetes.replace import must_delete_first, replacement_rule
from sandbox.plugins.provider import (
    AlreadyExistsError,
    Checked,
    CheckRequest,
    CreateRequest,
    DeleteRequest,
    Diff,
    DiffRequest,
    InitFailedError,
    NotFoundError,
    Properties,
    ProviderError,
    ReadRequest,
    Resource,
    State,
    UnreachableError,
    UpdateRequest,
    compare,
    has_unknown,
    keep_secrets,
)

_NAMESPACE_RETRIES: Final = (1.0, 2.0, 4.0)
_DELETE_UNREACHABLE: Final = (
    "If the cluster was deleted, remove this resource from the state by running again with the environment variable "
    "PULUMI_K8S_DELETE_UNREACHABLE=true."
)


class PlainKind(Resource):
    """Resources of one kind."""

    handles_preview = True

    def __init__(self, kind: Kind, cluster: Cluster) -> None:
        """Serve `kind` in `cluster`."""
        self.kind = kind
        self.cluster = cluster

    # Decisions that need no object.

    def check(self, request: CheckRequest) -> Checked:
        """Complete the inputs: kind, name and namespace."""
        inputs = {"apiVersion": self.kind.api_version, "kind": self.kind.kind, **request.inputs}
        failures = names.refused(to_object(inputs), self.kind)
        inputs = names.with_name(inputs, request.old_inputs, request.name, request.random_seed)
        if self._namespaced():
            inputs = names.with_namespace(inputs, self.cluster.default_namespace)
        return Checked(protect(inputs), failures)

    def _namespaced(self) -> bool:
        try:
            return self.cluster.endpoint(self.kind).namespaced
        except (UnknownKindError, UnreachableError, ApiError):
            return self.kind.probably_namespaced

    def diff(self, request: DiffRequest) -> Diff:
        """Compare inputs; drift is in the old inputs since the last refresh."""
        old, new = to_object(request.old_inputs), to_object(request.inputs)
        settings = self.cluster.settings
        rule = replacement_rule(
            self.kind, new, config_map_mutable=settings.config_map_mutable, secret_mutable=settings.secret_mutable
        )
        changes = compare(without_server_fields(old), without_server_fields(new), rule)
        replaces = any(change.replaces for change in changes)
        return Diff(changes, delete_before_replace=replaces and must_delete_first(old, new))

    # Operations.

    def create(self, request: CreateRequest) -> State:
        """Create the object and wait until it is ready."""
        obj = to_object(request.inputs)
        manager = annotation(obj, names.FIELD_MANAGER) or field_manager_name()
        if request.preview:
            return State("", self._preview(request.inputs, manager))
        endpoint = self._endpoint(request.urn)
        try:
            live = self._create(endpoint, obj, manager)
        except (AlreadyExistsError, ApiError, NotFoundError) as error:
            kind = AlreadyExistsError if isinstance(error, AlreadyExistsError) else ProviderError
            raise kind(
                f'resource "{request.urn}" was not successfully created by the Kubernetes API server: {error}'
            ) from error
        live, failure = await_ready(self.cluster, endpoint, live, request.timeout)
        identifier = _id_of(live)
        outputs = to_state(request.inputs, live, manager)
        if failure:
            raise InitFailedError(
                identifier,
                outputs,
                [
                    f'resource "{identifier}" was successfully created, but the Kubernetes API server reported that '
                    f"it failed to fully initialize or become live: {failure}"
                ],
            )
        return State(identifier, outputs)

    def read(self, request: ReadRequest) -> State | None:
        """Read the live object; without inputs (`.get()`, import) all of it is taken as inputs."""
        namespace, name = split_id(request.id)
        if reason := self.cluster.reachable():
            if self.cluster.settings.delete_unreachable:
                return None
            raise UnreachableError(f"{reason}. {_DELETE_UNREACHABLE}")
        try:
            endpoint = self.cluster.endpoint(self.kind)
        except UnknownKindError:
            return None
        live = self.cluster.get(endpoint, namespace or self.cluster.default_namespace, name)
        if live is None:
            return None
        manager = request.state.get(FIELD_MANAGER) or field_manager_name()
        if not request.inputs:
            inputs = protect(to_properties(without_server_fields(live)))
            return State(request.id, to_state(inputs, live, manager), inputs)
        known = protect(keep_secrets(to_properties(live_inputs(live, to_object(request.inputs))), request.inputs))
        outputs = to_state(known, live, manager)
        if reason := not_ready_reason(self.cluster, endpoint, live):
            raise InitFailedError(request.id, outputs, [f"{self.kind.kind} {request.id}: {reason}"], known)
        return State(request.id, outputs, known)

    def update(self, request: UpdateRequest) -> Properties:
        """Apply the inputs server-side and wait until the object is ready."""
        obj = to_object(request.inputs)
        manager = annotation(obj, names.FIELD_MANAGER) or request.state.get(FIELD_MANAGER) or field_manager_name()
        if request.preview and (has_unknown(request.inputs) or self.cluster.reachable()):
            return request.inputs
        endpoint = self._endpoint(request.urn)
        metadata = obj["metadata"]
        live = self.cluster.get(endpoint, metadata.get("namespace") or "", metadata["name"])
        if live is None:
            raise NotFoundError(
                f'update of resource "{request.urn}" failed: {self.kind.kind} {request.id} does not exist any more. '
                "Run `pulumi refresh` to take note of that, then `pulumi up` to create it again."
            )
        force = request.preview or self.cluster.settings.patch_force or annotation(obj, names.PATCH_FORCE) == "true"
        try:
            if not request.preview:
                take_over(self.cluster, endpoint, live, manager)
            live = self.cluster.apply(endpoint, obj, manager, force=force, dry_run=request.preview)
        except ApiError as error:
            if request.preview and error.code == 403:
                return request.inputs
            raise _explained(error, request.urn, manager) from error
        if request.preview:
            live.pop("status", None)
            return to_state(request.inputs, live, manager)
        live, failure = await_ready(self.cluster, endpoint, live, request.timeout)
        outputs = to_state(request.inputs, live, manager)
        if failure:
            raise InitFailedError(
                request.id,
                outputs,
                [
                    f'the Kubernetes API server reported that "{request.id}" failed to fully initialize or become '
                    f"live: {failure}"
                ],
            )
        return outputs

    def delete(self, request: DeleteRequest) -> None:
        """Delete the object and wait until it is gone."""
        namespace, name = split_id(request.id)
        if reason := self.cluster.reachable():
            if self.cluster.settings.delete_unreachable:
                return
            raise UnreachableError(f"{reason}. {_DELETE_UNREACHABLE}")
        try:
            endpoint = self.cluster.endpoint(self.kind)
        except UnknownKindError:
            return
        await_gone(
            self.cluster,
            endpoint,
            namespace or self.cluster.default_namespace,
            name,
            inputs=to_object(request.old_inputs),
            timeout=request.timeout,
        )

    # Parts of operations.

    def _endpoint(self, urn: str) -> Endpoint:
        if reason := self.cluster.reachable():
            raise UnreachableError(reason)
        try:
            return self.cluster.endpoint(self.kind)
        except UnknownKindError as error:
            raise UnknownKindError(f'resource "{urn}": {error}') from error

    def _create(self, endpoint: Endpoint, obj: Object, manager: str) -> Object:
        """Create; wait a little for a namespace that something else is just creating."""
        for pause in (*_NAMESPACE_RETRIES, None):
            try:
                return self.cluster.create(endpoint, obj, manager, dry_run=False)
            except NotFoundError:
                if pause is None:
                    raise
                self.cluster.cancellation.wait(pause, f"the namespace of {obj['metadata'].get('name')}")
        raise AssertionError("the last attempt returns or raises")

    def _preview(self, inputs: Properties, manager: str) -> Properties:
        """Return what the API server would make of the inputs, or the inputs where it cannot know."""
        if has_unknown(inputs) or self.cluster.reachable():
            return inputs
        try:
            endpoint = self.cluster.endpoint(self.kind)
            live = self.cluster.create(endpoint, to_object(inputs), manager, dry_run=True)
        except (UnknownKindError, NotFoundError, AlreadyExistsError):
            # Its namespace or kind may come with this very update, and a replacement deletes the old object first.
            return inputs
        except ApiError as error:
            if error.code == 403:
                return inputs
            raise
        # A status in a preview would be read as final by the program.
        live.pop("status", None)
        return to_state(inputs, live, manager)


def _id_of(live: Object) -> str:
    metadata: dict[str, Any] = live["metadata"]
    return object_id(metadata.get("namespace"), metadata["name"])


def _explained(error: ApiError, urn: str, manager: str) -> ProviderError:
    if error.code != 409:
        return ProviderError(f'update of resource "{urn}" failed: {error}')
    what = f'update of resource "{urn}" failed: Server-Side Apply field conflict detected.'
    return ProviderError(
        f'{what} The resource managed by field manager "{manager}" had an apply conflict: {error}. Give the field up '
        'in one of the two places, or set the annotation `pulumi.com/patchForce: "true"` to take it over.'
    )
