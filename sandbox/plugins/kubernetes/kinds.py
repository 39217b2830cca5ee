"""Kinds, as tokens and as group/version/kind, and the ids and names of objects."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass

from sandbox.plugins.provider import InvalidInputError

AUTONAMED = "pulumi.com/autonamed"

# Only asked when the cluster cannot be: it knows the scope of every kind.
_CLUSTER_SCOPED = frozenset(
    {
        "APIService",
        "CSIDriver",
        "CSINode",
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
        "FlowSchema",
        "IngressClass",
        "MutatingWebhookConfiguration",
        "Namespace",
        "Node",
        "PersistentVolume",
        "PriorityClass",
        "PriorityLevelConfiguration",
        "RuntimeClass",
        "StorageClass",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
        "VolumeAttachment",
    }
)


@dataclass(frozen=True)
class Kind:
    """A group, version and kind; the core group is the empty string."""

    group: str
    version: str
    kind: str

    @property
    def api_version(self) -> str:
        """As written in a manifest: `v1`, `apps/v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def probably_namespaced(self) -> bool:
        """A guess for when the cluster cannot be asked."""
        return self.kind not in _CLUSTER_SCOPED

    def __str__(self) -> str:
        """Read well in messages."""
        return f"{self.api_version}/{self.kind}"

    @classmethod
    def of(cls, api_version: str, kind: str) -> Kind:
        """Return the kind of a manifest."""
        group, _, version = api_version.rpartition("/")
        return cls("" if group == "core" else group, version, kind)

    @classmethod
    def from_token(cls, token: str) -> Kind:
        """Return the kind of `kubernetes:apps/v1:Deployment`; refuse what is no plain kind."""
        parts = token.split(":")
        group, _, version = parts[1].rpartition("/") if len(parts) == 3 else ("", "", "")
        if len(parts) != 3 or not version or not group:
            raise InvalidInputError(f"The offline kubernetes plugin does not know the resource type {token}.")
        kind = parts[2]
        if group in {"helm.sh", "kustomize", "yaml"}:
            raise InvalidInputError(
                f"The offline kubernetes plugin does not support {token}, only plain kinds and helm.sh/v3:Release. "
                "Use the official plugin for it."
            )
        if kind.endswith("List"):
            raise InvalidInputError(f"{token} is a list: declare its items as resources of their own.")
        if kind.endswith("Patch"):
            raise InvalidInputError(
                f"The offline kubernetes plugin does not support patch resources ({token}); use the official plugin."
            )
        return cls.of(f"{group}/{version}", kind)


def object_id(namespace: str | None, name: str) -> str:
    """Return the id of an object: `namespace/name`, or `name` where there is no namespace."""
    return f"{namespace}/{name}" if namespace else name


def split_id(identifier: str) -> tuple[str, str]:
    """Return namespace (or "") and name of an id."""
    namespace, _, name = identifier.rpartition("/")
    return namespace, name


def auto_name(logical_name: str, seed: bytes) -> str:
    """Return a generated name: the logical one and 8 hexadecimal digits, the same for the same seed."""
    digits = hashlib.sha256(seed + logical_name.encode()).hexdigest()[:8] if seed else secrets.token_hex(4)
    return f"{logical_name}-{digits}"


def field_manager_name() -> str:
    """Return a new name for the owner of our fields; it is kept in the state."""
    return f"pulumi-kubernetes-{secrets.token_hex(4)}"
