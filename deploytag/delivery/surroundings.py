"""The environment variables of everything that a run starts, so that each acts on what the run has looked at."""

import os
from collections.abc import Mapping
from pathlib import Path

from deploytag.delivery.backend import VARIABLE, Backend, service
from deploytag.preflight.endpoints import kubeconfig_path

LEADING_ELSEWHERE = (
    *("HELM_KUBE", "HELM_NAMESPACE", "HELM_DRIVER", "PULUMI_K8S_HELM_DRIVER"),
    "PULUMI_K8S_DELETE_UNREACHABLE",
)
"""How the variables begin by which Helm would act on another cluster than the kubeconfig's, as somebody else, or in
another namespace; or keep releases where nobody looks for them: recovery reads the Secrets that are Helm's default. The
last would have Pulumi take for gone what is in a cluster that does not answer."""


def of_children(environ: Mapping[str, str], backend: Backend | None) -> dict[str, str]:
    """What Pulumi, Helm and the program are given instead of `environ`. Pure but for this process's folder and home.

    Pulumi would look for its backend in the folder that it runs in, which may be another commit's or have no project;
    and a kubeconfig that is not found there is passed over in silence, for whatever cluster is the default.

    Raises:
        SettingsError: the backend is a folder that cannot be.
    """
    kept = {name: it for name, it in environ.items() if not name.startswith(LEADING_ELSEWHERE)}
    told = {"KUBECONFIG": _from_everywhere(kubeconfig_path(environ))}
    return kept | told | {VARIABLE: backend.everywhere if backend else service(environ)}


def _from_everywhere(kubeconfig: str) -> str:
    """The same files by absolute paths."""
    files = (os.path.expanduser(path) for path in kubeconfig.split(os.pathsep) if path)  # noqa: PTH111 - never refuses
    return os.pathsep.join(str(Path(file).absolute()) for file in files)
