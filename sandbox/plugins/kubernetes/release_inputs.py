"""What a `Release` may say, and what is recorded of it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sandbox.plugins.kubernetes import chart as charts
from sandbox.plugins.kubernetes.objects import INPUTS
from sandbox.plugins.provider import Properties, ReadRequest, Secret, reveal

SUPPORTED: Final = frozenset(
    {
        "allowNullValues",
        "atomic",
        "chart",
        "cleanupOnFail",
        "createNamespace",
        "dependencyUpdate",
        "description",
        "devel",
        "disableCRDHooks",
        "disableOpenapiValidation",
        "disableWebhooks",
        "forceUpdate",
        "keyring",
        "lint",
        "maxHistory",
        "name",
        "namespace",
        "postrender",
        "renderSubchartNotes",
        "replace",
        "repositoryOpts",
        "resetValues",
        "reuseValues",
        "skipAwait",
        "skipCrds",
        "takeOwnership",
        "timeout",
        "valueYamlFiles",
        "values",
        "verify",
        "version",
        "waitForJobs",
    }
)
# The SDK always sends `compat`; `resourceNames` is an output that can be given for compatibility with earlier ones.
DROPPED: Final = frozenset({"compat", "resourceNames"})
REPOSITORY: Final = frozenset({"repo", "caFile", "certFile", "keyFile"})


def local_chart(inputs: Properties) -> Path | None:
    """Return the path of the chart if it is on this machine."""
    return None if (inputs.get("repositoryOpts") or {}).get("repo") else charts.find_local(str(inputs["chart"]))


def recorded_inputs(request: ReadRequest) -> Properties:
    """Return the inputs of the last operation; none for an import."""
    recorded = request.state.get(INPUTS)
    recorded = recorded.value if isinstance(recorded, Secret) else recorded
    return recorded or request.inputs


def without_defaults(inputs: Properties) -> Properties:
    """Drop what says nothing, so that `atomic: false` and no `atomic` are the same, in either plugin's state."""
    ignored = DROPPED | {"checksum"}
    return {
        key: value
        for key, value in inputs.items()
        if key not in ignored and reveal(value) not in (False, "", {}, [], None)
    }


def state_of(inputs: Properties, found: Properties) -> Properties:
    """Return what is recorded: inputs, what the cluster says, and the inputs again, all of them secret."""
    return {**inputs, **found, INPUTS: Secret(inputs)}
