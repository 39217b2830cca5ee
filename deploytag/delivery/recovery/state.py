"""What Pulumi's checkpoint says of an environment. Pure: parsed from its JSON, and nothing of it is ever shown."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from deploytag.identity import Identity
from deploytag.ownership import SYSTEM_NAMESPACE
from deploytag.rights import BINDING


def ledger_id(identity: Identity) -> str:
    """The id of the ledger's entry, as the Kubernetes provider makes it."""
    return f"{SYSTEM_NAMESPACE}/{identity.namespace}"


def rights_id(identity: Identity) -> str:
    """The id of the RoleBinding that lets the wrapper work in the namespace."""
    return f"{identity.namespace}/{BINDING}"


def release_id(identity: Identity) -> str:
    """The id of the Helm release."""
    return f"{identity.namespace}/{identity.release}"


@dataclass(frozen=True, slots=True)
class ObjectName:
    """One object of a cluster."""

    api_version: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource that Pulumi knows to exist."""

    urn: str
    type: str
    id: str
    has_init_errors: bool = False
    """It was made but did not become ready, so the next `up` changes it again even when nothing else differs."""


@dataclass(frozen=True, slots=True)
class PendingOperation:
    """An operation that had begun when the engine was killed: whether it happened is not known."""

    operation: str
    """`creating`, `updating`, `deleting`, `reading` or `importing`."""
    urn: str
    type: str
    object: ObjectName | None = None
    """Which object of the cluster it is about, where its inputs say."""

    @property
    def name(self) -> str:
        """The resource's logical name."""
        return self.urn.rpartition("::")[2]


@dataclass(frozen=True, slots=True)
class State:
    """What the checkpoint knows."""

    resources: tuple[Resource, ...] = ()
    pending: tuple[PendingOperation, ...] = ()

    @classmethod
    def of(cls, deployment: Mapping[str, Any]) -> Self:
        """Parse a deployment (version 3), as a checkpoint or `pulumi stack export` holds it."""
        return cls(
            tuple(
                Resource(it["urn"], it["type"], it.get("id", ""), bool(it.get("initErrors")))
                for it in deployment.get("resources") or ()
                if it.get("custom") and not it.get("external")  # an external one is only read
            ),
            tuple(
                PendingOperation(it["type"], it["resource"]["urn"], it["resource"]["type"], _object(it["resource"]))
                for it in deployment.get("pending_operations") or ()
            ),
        )

    def find(self, type_: str, id_: str) -> Resource | None:
        """The resource of this type and id."""
        return next((it for it in self.resources if it.type == type_ and it.id == id_), None)

    def knows(self, it: ObjectName) -> bool:
        """Whether a resource is this object of the cluster."""
        wanted = f"kubernetes:{_group(it.api_version)}:{it.kind}"
        return self.find(wanted, f"{it.namespace}/{it.name}") is not None


def _group(api_version: str) -> str:
    return api_version if "/" in api_version else f"core/{api_version}"


def _object(resource: Mapping[str, Any]) -> ObjectName | None:
    match resource.get("inputs"):
        case {
            "apiVersion": str(version),
            "kind": str(kind),
            "metadata": {"name": str(name), "namespace": str(namespace)},
        }:
            return ObjectName(version, kind, namespace, name)
    return None
