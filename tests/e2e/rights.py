"""Rights for projects of a test's own, given as the documentation says: by an administrator, to the wrapper's user."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from deploytag.delivery.doctor.rights import manifest
from deploytag.ownership import SYSTEM_NAMESPACE
from deploytag.rights import Subject, project_rights
from tests.e2e.program.inventory import kubectl

WRAPPER = Subject("User", "deploytag")
"""The user of the kubeconfig that `sandbox env` names."""


def give(project: str, *subjects: Subject) -> None:
    """Apply what `deploytag rights` prints."""
    subprocess.run(
        ["kubectl", "apply", "--server-side", "--force-conflicts", "-f", "-"],
        input=manifest(project, subjects),
        capture_output=True,
        text=True,
        check=True,
    )


def take(project: str) -> None:
    """Remove what belongs to the project alone."""
    rights = project_rights(project)
    kubectl("delete", "clusterrolebinding", rights, f"{rights}:overview", "--ignore-not-found")
    kubectl("delete", "role,rolebinding", rights, "-n", SYSTEM_NAMESPACE, "--ignore-not-found")


@contextmanager
def deployed_by_the_wrapper(project: str) -> Iterator[None]:
    """The wrapper of these tests may deploy the project, as it may deploy the sample application."""
    give(project, WRAPPER)
    try:
        yield
    finally:
        take(project)
