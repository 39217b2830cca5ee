"""What one collection remembers for the next: how many refs there were, and which images nothing referred to."""

from kubernetes import client
from kubernetes.client.exceptions import ApiException
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from deploytag.delivery.asking import asking
from deploytag.delivery.cluster import Cluster
from deploytag.delivery.moment import Moment
from deploytag.identity import identify
from deploytag.ownership import KIND, PROJECT, SYSTEM_NAMESPACE

TIMEOUT = 15
"""Seconds one question may take."""
KEY = "memory"


class GcMemory(BaseModel):
    """A collection's memory. Without one, a collection has nothing to compare with, and deletes no image."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    refs: int | None = None
    """How many refs the remote had."""
    unreferenced: dict[str, Moment] = Field(default_factory=dict)
    """Digest to when nothing was first seen to refer to the image."""


def load(cluster: Cluster, project: str) -> GcMemory:
    """What the last collection left; an empty memory when there was none, or its words are not understood."""
    with asking(cluster, "reading what the last collection saw", "get configmaps"):
        try:
            found = cluster.core.read_namespaced_config_map(name(project), SYSTEM_NAMESPACE, _request_timeout=TIMEOUT)
        except ApiException as error:
            if error.status == 404:
                return GcMemory()
            raise
    try:
        return GcMemory.model_validate_json((found.data or {}).get(KEY, "{}"))
    except ValidationError:
        return GcMemory()


def save(cluster: Cluster, project: str, memory: GcMemory) -> None:
    """Leave it for the next collection."""
    body = client.V1ConfigMap(
        metadata=client.V1ObjectMeta(
            name=name(project),
            labels={"app.kubernetes.io/managed-by": "deploytag", KIND: "gc"},
            annotations={PROJECT: project},
        ),
        data={KEY: memory.model_dump_json()},
    )
    with asking(cluster, "writing down what this collection saw", "create and update configmaps"):
        try:
            cluster.core.replace_namespaced_config_map(name(project), SYSTEM_NAMESPACE, body, _request_timeout=TIMEOUT)
        except ApiException as error:
            if error.status != 404:
                raise
            cluster.core.create_namespaced_config_map(SYSTEM_NAMESPACE, body, _request_timeout=TIMEOUT)


def name(project: str) -> str:
    """The ConfigMap's name: no project has another's, and none is that of an environment's record."""
    # Not the project itself, which may hold what Kubernetes refuses.
    return f"{identify(project, 'gc').namespace}.gc"
