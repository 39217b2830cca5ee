"""The names of the rights that an administrator gives once to whoever deploys a project. Pure.

RBAC knows no namespaces that are yet to be made, so the rights inside of an environment are given there, by a
RoleBinding that the program makes right after the namespace. It binds those whom the administrator named for the
project, and not the user of this run: a pipeline deploys what a person then looks at.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from deploytag.identity import Identity
from deploytag.ownership import annotations, labels

API_GROUP = "rbac.authorization.k8s.io"

ENVIRONMENT_ROLE = "deploytag:environment"
"""ClusterRole of what is done inside of an environment; bound in each of them, and nowhere else."""

BINDING = "deploytag"
"""The RoleBinding in each environment's namespace."""


def project_rights(project: str) -> str:
    """The Role and the RoleBinding in `deploytag-system` that say who may deploy `project`."""
    # A project is letters, digits, dots, dashes and underscores: RBAC takes all of them as they are.
    return f"deploytag:{project}"


@dataclass(frozen=True, slots=True)
class Subject:
    """Somebody who may deploy a project: a user, a group or a service account."""

    kind: str
    """`User`, `Group` or `ServiceAccount`."""
    name: str
    namespace: str | None = None
    """Of a service account."""

    @classmethod
    def service_account(cls, namespace: str, name: str) -> Self:
        """A service account."""
        return cls("ServiceAccount", name, namespace)

    def manifest(self) -> dict[str, str]:
        """As a binding lists it."""
        if self.kind == "ServiceAccount":
            return {"kind": self.kind, "name": self.name, "namespace": self.namespace or ""}
        return {"kind": self.kind, "name": self.name, "apiGroup": API_GROUP}


def role_binding(identity: Identity, subjects: Sequence[Subject]) -> dict[str, Any]:
    """The RoleBinding of an environment, as the program declares it and a repair makes it."""
    return {
        "apiVersion": f"{API_GROUP}/v1",
        "kind": "RoleBinding",
        "metadata": {
            "name": BINDING,
            "namespace": identity.namespace,
            "labels": labels(identity),
            "annotations": annotations(identity),
        },
        "roleRef": {"apiGroup": API_GROUP, "kind": "ClusterRole", "name": ENVIRONMENT_ROLE},
        "subjects": [subject.manifest() for subject in subjects],
    }
