"""What a stack's state says, without the engine: whose it is, what it protects, and what it still holds. Pure.

The document is a deployment as Pulumi's backends keep it (`DeploymentV3` in `sdk/go/common/apitype/core.go` of
pulumi/pulumi). Values that are secret are encrypted in it, and none is looked at.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from deploytag.delivery.resource_types import ENGINE, IMAGE, RELEASE, STACK
from deploytag.identity import Identity
from deploytag.ownership import PROJECT, REF, SYSTEM_NAMESPACE

Document = Mapping[str, Any]

_INSIDE_THE_DATABASE_SERVER = ("database", "role", "owner", "grantRole", "name")


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource of a state, as far as destroying it goes."""

    urn: str
    type: str
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    protect: bool
    real: bool
    """Whether it stands for something outside of the state; a component does not, nor does what is only read."""

    @property
    def name(self) -> str:
        """Its type and logical name, for a person: `Bucket uploads`."""
        return f"{self.type.rsplit(':', 1)[-1]} {self.urn.rsplit('::', 1)[-1]}"


def resources(document: Document) -> Iterator[Resource]:
    """All of them, in the order of the state."""
    for entry in document.get("resources") or []:
        yield Resource(
            urn=entry["urn"],
            type=entry["type"],
            inputs=entry.get("inputs") or {},
            outputs=entry.get("outputs") or {},
            protect=bool(entry.get("protect")),
            real=bool(entry.get("custom")) and not entry.get("external"),
        )


def is_empty(document: Document) -> bool:
    """Whether there is nothing for Pulumi to destroy."""
    return not any(resource.real for resource in resources(document))


def ref_of(document: Document) -> str | None:
    """The ref that the environment was made for; None when the state does not say.

    The stack's output says it from the first success on; before that, whatever was made carries it as an annotation.
    """
    for resource in resources(document):
        if resource.type == STACK and isinstance(ref := resource.outputs.get("ref"), str):
            return ref
        match resource.inputs:
            case {"metadata": {"annotations": {**annotations}}} if resource.type.startswith("kubernetes:"):
                # A state that was cut may hold what is no URN.
                project = resource.urn.split("::")[1:2]
                if project == [annotations.get(PROJECT)] and isinstance(ref := annotations.get(REF), str):
                    return ref
    return None


def ref_among(documents: Iterable[Document]) -> str | None:
    """The ref that the first of these states says which says any. The last one of a stack says none: all had gone."""
    return next(filter(None, map(ref_of, documents)), None)


def protected(document: Document) -> list[str]:
    """Names of the resources that the engine refuses to delete."""
    return [resource.name for resource in resources(document) if resource.protect and resource.real]


def images(document: Document) -> set[str]:
    """References of the images that the stack built or runs: `repository:tag@sha256:…`."""
    # A list: a program may export anything, also what no set can hold.
    found: list[Any] = []
    for resource in resources(document):
        if resource.type == STACK:
            found += [resource.outputs.get("base_image"), resource.outputs.get("app_image")]
        elif resource.type == IMAGE:
            found.append(resource.outputs.get("ref"))
    return {reference for reference in found if isinstance(reference, str) and "@" in reference}


def beyond(document: Document, identity: Identity) -> list[str]:
    """Names of the resources that do not go with the identity's namespace, database and role.

    An application may declare whatever it likes beside its environment, and only the engine can delete that.
    """
    return [resource.name for resource in resources(document) if resource.real and not _goes_along(resource, identity)]


def _goes_along(resource: Resource, identity: Identity) -> bool:
    kind, inputs = resource.type, resource.inputs
    if kind.startswith(ENGINE) or kind == IMAGE:  # images are shared, and kept
        return True
    if kind.startswith("postgresql:"):
        return any(inputs.get(key) in (identity.database, identity.role) for key in _INSIDE_THE_DATABASE_SERVER)
    if kind == RELEASE:
        return inputs.get("namespace") == identity.namespace
    if kind.startswith("kubernetes:"):
        metadata = inputs.get("metadata")
        if not isinstance(metadata, Mapping):
            return False
        where = metadata.get("namespace")
        return identity.namespace in (where, metadata.get("name") if where in (None, SYSTEM_NAMESPACE) else None)
    return False
