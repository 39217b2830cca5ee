"""`kubernetes:helm.sh/v3:Release`: a chart, installed, upgraded and uninstalled with its hooks by the helm binary."""

from __future__ import annotations

from typing import Any, ClassVar

from sandbox.plugins.kubernetes import chart as charts
from sandbox.plugins.kubernetes import helm as command
from sandbox.plugins.kubernetes.cluster import Cluster
from sandbox.plugins.kubernetes.helm import Helm, HelmError
from sandbox.plugins.kubernetes.kinds import auto_name, object_id, split_id
from sandbox.plugins.kubernetes.objects import merge_live
from sandbox.plugins.kubernetes.release_inputs import (
    DROPPED,
    REPOSITORY,
    SUPPORTED,
    local_chart,
    recorded_inputs,
    state_of,
    without_defaults,
)
from sandbox.plugins.provider import (
    UNKNOWN,
    Change,
    Checked,
    CheckRequest,
    CreateRequest,
    DeleteRequest,
    Diff,
    DiffRequest,
    Failure,
    InitFailedError,
    InvalidInputError,
    Kind,
    Properties,
    ProviderError,
    ReadRequest,
    Resource,
    Secret,
    State,
    UnreachableError,
    UpdateRequest,
    compare,
    has_unknown,
    keep_secrets,
    reveal,
)


class Release(Resource):
    """Helm releases."""

    supported: ClassVar[frozenset[str] | None] = SUPPORTED
    replace_on: ClassVar[frozenset[str]] = frozenset({"name", "namespace"})
    handles_preview = True

    def __init__(self, cluster: Cluster) -> None:
        """Serve releases in `cluster`."""
        self.cluster = cluster

    @property
    def helm(self) -> Helm:
        """Helm, pointed at the cluster."""
        return Helm(self.cluster.connection.helm_arguments, self.cluster.cancellation)

    # Decisions.

    def check(self, request: CheckRequest) -> Checked:
        """Complete the inputs; the version becomes the chart's, values files become values."""
        inputs = {key: value for key, value in request.inputs.items() if key not in DROPPED}
        failures = self.unsupported(inputs)
        options = reveal(inputs.get("repositoryOpts")) or {}
        if isinstance(options, dict):
            failures += [
                Failure(f"repositoryOpts.{key}", f"the offline kubernetes plugin does not support `{key}`")
                for key in sorted(options.keys() - REPOSITORY)
            ]
        if not reveal(inputs.get("name")):
            old = request.old_inputs.get("name")
            inputs["name"] = old or auto_name(request.name, request.random_seed)
        if not reveal(inputs.get("namespace")):
            inputs["namespace"] = self.cluster.default_namespace
        if not reveal(inputs.get("skipAwait")):
            inputs.setdefault("timeout", command.DEFAULT_TIMEOUT)
        try:
            files = inputs.pop("valueYamlFiles", [])
            if not has_unknown(files):
                inputs["values"] = charts.merged_values(
                    files.value if isinstance(files, Secret) else files,
                    inputs.get("values", {}),
                    keep_nulls=bool(reveal(inputs.get("allowNullValues"))),
                )
            if not has_unknown({key: value for key, value in inputs.items() if key != "values"}):
                inputs["version"] = self._chart_version(reveal(inputs))
        except ProviderError as error:
            failures.append(Failure("chart", f"{error}; check the chart name and repository configuration."))
        return Checked(inputs, failures)

    def _chart_version(self, inputs: Properties) -> str:
        if not inputs.get("chart"):
            raise InvalidInputError("a Release needs a `chart`")
        local = local_chart(inputs)
        if local is None:
            version = ["--version", str(inputs["version"])] if inputs.get("version") else []
            text = self.helm.run(["show", "chart", str(inputs["chart"]), *command.chart_arguments(inputs), *version])
            return charts.version_in(text, str(inputs["chart"]))
        chart = charts.read(local)
        if chart.missing and inputs.get("dependencyUpdate"):
            self.helm.run(["dependency", "update", str(local)])
            chart = charts.read(local)
        if chart.missing:
            raise InvalidInputError(
                f"found in Chart.yaml, but missing in charts/ directory of {local}: {', '.join(chart.missing)}. "
                "Run `helm dependency build` there"
            )
        return chart.version

    def diff(self, request: DiffRequest) -> Diff:
        """Compare inputs, and what a refresh found with the inputs."""
        old = without_defaults(request.old_inputs)
        new = without_defaults(request.inputs)
        changes = {change.path: change for change in compare(old, new, self.replace_on)}
        for key in ("values", "version"):
            if key in new and key in request.state and not has_unknown(new[key]):
                live = merge_live(reveal(request.state[key]), reveal(new[key]))
                for change in compare({key: live}, {key: reveal(new[key])}):
                    changes.setdefault(change.path, Change(change.path, Kind.UPDATE))
        return Diff(tuple(changes.values()))

    # Operations.

    def create(self, request: CreateRequest) -> State:
        """Install the chart."""
        if request.preview:
            return State("", state_of(request.inputs, {"status": UNKNOWN, "resourceNames": UNKNOWN}))
        inputs = reveal(request.inputs)
        self._require_cluster("create")
        identifier = object_id(inputs["namespace"], inputs["name"])
        if inputs.get("dependencyUpdate"):
            self._chart_version(inputs)
        try:
            arguments = command.install_arguments(inputs, local=local_chart(inputs) is not None)
            self.helm.run(arguments, inputs.get("values") or {})
        except HelmError as error:
            if "cannot re-use a name" in str(error):
                raise
            found = self._after_helm(identifier, request.inputs, error)
            if found is None:
                raise
            raise InitFailedError(
                identifier,
                state_of(request.inputs, found),
                [
                    f'Helm release "{identifier}" was created, but failed to initialize completely. Use Helm CLI to '
                    f"investigate: {error}"
                ],
            ) from error
        return State(identifier, state_of(request.inputs, self._must_look_up(identifier, request.inputs)))

    def update(self, request: UpdateRequest) -> Properties:
        """Upgrade the release."""
        if request.preview:
            return state_of(request.inputs, {"status": UNKNOWN, "resourceNames": UNKNOWN})
        inputs = reveal(request.inputs)
        self._require_cluster("update")
        values = inputs.get("values") or {}
        if inputs.get("lint"):
            self.helm.run(["lint", str(inputs["chart"]), "--values", "-"], values)
        if inputs.get("dependencyUpdate"):
            self._chart_version(inputs)
        before = self._look_up(inputs["namespace"], inputs["name"])
        try:
            self.helm.run(command.upgrade_arguments(inputs, local=local_chart(inputs) is not None), values)
        except HelmError as error:
            found = self._after_helm(request.id, request.inputs, error)
            # Helm refused before it did anything (a template that does not render, no such release).
            if found is None or (before and before["status"] == found["status"]):
                raise
            raise InitFailedError(
                request.id,
                state_of(request.inputs, found),
                [f'Helm release "{request.id}" failed to initialize completely. Use Helm CLI to investigate: {error}'],
            ) from error
        return state_of(request.inputs, self._must_look_up(request.id, request.inputs))

    def read(self, request: ReadRequest) -> State | None:
        """Read the release; with no state (import, `.get()`) its values and chart name become inputs."""
        namespace, name = split_id(request.id)
        if reason := self.cluster.reachable():
            if self.cluster.settings.delete_unreachable:
                return None
            raise UnreachableError(reason)
        found = self._look_up(namespace or self.cluster.default_namespace, name, with_values=True)
        if found is None:
            return None
        live_values = found.pop("values")
        inputs = recorded_inputs(request)
        if not inputs:
            inputs = {
                "name": name,
                "namespace": found["status"]["namespace"],
                "chart": found["status"]["chart"],
                "values": Secret(live_values),  # whoever set them may have meant them so
                "timeout": command.DEFAULT_TIMEOUT,
                "version": found["version"],
            }
        known = reveal(inputs.get("values")) or {}
        outputs = state_of(inputs, found)
        outputs["values"] = keep_secrets(charts.overlay(known, live_values), inputs.get("values", {}))
        return State(request.id, outputs, inputs)

    def delete(self, request: DeleteRequest) -> None:
        """Uninstall the release. That it is gone already is an error, as with the official plugin (#2817)."""
        if reason := self.cluster.reachable():
            raise UnreachableError(f"can't delete Helm Release with unreachable cluster: {reason}")
        namespace, name = split_id(request.id)
        inputs = reveal({**request.state, **request.old_inputs})
        self.helm.run(command.uninstall_arguments({**inputs, "namespace": namespace, "name": name}))

    # Parts of operations.

    def _require_cluster(self, operation: str) -> None:
        if reason := self.cluster.reachable():
            raise UnreachableError(f"can't {operation} Helm Release with unreachable cluster: {reason}")

    def _must_look_up(self, identifier: str, recorded: Properties) -> Properties:
        found = self._after_helm(identifier, recorded)
        if found is None:
            raise ProviderError(f'The Helm release "{identifier}" vanished right after it was installed.')
        return found

    def _after_helm(self, identifier: str, recorded: Properties, failure: HelmError | None = None) -> Properties | None:
        """Look the release up after helm ran. If that fails, the engine still has to record that there may be one."""
        inputs = reveal(recorded)
        where = {"name": inputs["name"], "namespace": inputs["namespace"]}
        try:
            return self._look_up(**where)
        except ProviderError as error:
            outcome = f"Helm failed ({failure})" if failure else "Helm succeeded"
            raise InitFailedError(
                identifier,
                state_of(recorded, {"status": {**where, "status": "unknown"}, "resourceNames": {}}),
                [
                    f'{outcome}, but how it left the release "{identifier}" could not be looked up: {error}. Run '
                    "`pulumi refresh` once the cluster answers, then `pulumi up`."
                ],
            ) from error

    def _look_up(self, namespace: str, name: str, *, with_values: bool = False) -> Properties | None:
        """Return the outputs of a release that come from the cluster; None if there is no such release."""
        # A cancelled operation still has to say how it left the release.
        helm = Helm(self.helm.connection_arguments, type(self.cluster.cancellation)())
        where = [name, "--namespace", namespace]
        try:
            metadata = helm.json(["get", "metadata", *where])
            manifest = helm.run(["get", "manifest", *where])
            values = helm.json(["get", "values", *where]) if with_values else None
        except HelmError as error:
            if command.release_not_found(error):
                return None
            raise
        found: dict[str, Any] = {
            "resourceNames": charts.resource_names(manifest),
            "version": metadata["version"],
            "status": {
                key: metadata.get(key)
                for key in ("appVersion", "chart", "name", "namespace", "revision", "status", "version")
            },
        }
        return {**found, "values": values or {}} if with_values else found
