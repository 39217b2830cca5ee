"""What one collection remembers for the next: whose branches it went by, how many, and which images nothing needed."""

from kubernetes.client.exceptions import ApiException
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from deploytag.api import CONFIG_MAPS
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

    branches: int | None = None
    """How many branches the remote had."""
    remotes: tuple[str, ...] = ()
    """Which repositories' branches were gone by, as `Remote.place` has them: one, but for who allowed another."""
    refs: int | None = None
    """How many branches and tags it had, by a version that counted only these: compared once more, with the same."""
    unreferenced: dict[str, Moment] = Field(default_factory=dict)
    """Digest to when nothing was first seen to refer to the image."""


def load(cluster: Cluster, project: str) -> GcMemory:
    """What the last collection left; an empty memory when there was none, or its words are not understood."""
    with asking(cluster, "reading what the last collection saw", "get configmaps"):
        found = cluster.api.find(CONFIG_MAPS, name(project), SYSTEM_NAMESPACE, timeout=TIMEOUT)
    try:
        return GcMemory.model_validate_json(((found or {}).get("data") or {}).get(KEY, "{}"))
    except ValidationError:
        return GcMemory()


def save(cluster: Cluster, project: str, memory: GcMemory) -> None:
    """Leave it for the next collection."""
    metadata = {
        "name": name(project),
        "labels": {"app.kubernetes.io/managed-by": "deploytag", KIND: "gc"},
        "annotations": {PROJECT: project},
    }
    body = {"metadata": metadata, "data": {KEY: memory.model_dump_json()}}
    with asking(cluster, "writing down what this collection saw", "create and update configmaps"):
        try:
            cluster.api.replace(CONFIG_MAPS, body, SYSTEM_NAMESPACE, timeout=TIMEOUT)
        except ApiException as error:
            if error.status != 404:
                raise
            cluster.api.create(CONFIG_MAPS, body, SYSTEM_NAMESPACE, timeout=TIMEOUT)


def name(project: str) -> str:
    """The ConfigMap's name: no project has another's, and none is that of an environment's record."""
    # Not the project itself, which may hold what Kubernetes refuses.
    return f"{identify(project, 'gc').namespace}.gc"
