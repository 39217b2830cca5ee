"""Keeps hold of an environment's volumes: once their namespace is gone, nothing else tells whose they are."""

from collections.abc import Callable

from kubernetes.client.exceptions import ApiException

from deploytag.api import PERSISTENT_VOLUMES, Object, annotations_of
from deploytag.delivery.asking import asking
from deploytag.delivery.cluster import Cluster
from deploytag.identity import Identity
from deploytag.ownership import annotations

PROVISIONED = "pv.kubernetes.io/provisioned-by"
"""Annotation of a volume that was made for a claim, and not by a person."""
REQUEST = 15
"""Seconds one question to the cluster may take."""


def keep_hold(identity: Identity, cluster: Cluster, check: Callable[[], None]) -> None:
    """Mark the volumes claimed from the environment's namespace, which has to be its own, as the environment's.

    A volume that was provisioned for a claim is told to go with it, with the disk behind it: `Retain` would keep a
    disk that nobody knows of.

    Args:
        identity: the environment.
        cluster: where it is.
        check: raises when this run may not write any more: asked right before each write.

    Raises:
        UnreachableError: the cluster does not answer, or refuses.
    """
    server = cluster.api
    with asking(cluster, f"marking the volumes of {identity.ref}", "list and patch persistentvolumes", namespace=None):
        for volume in server.list(PERSISTENT_VOLUMES, timeout=REQUEST).items:
            if (volume["spec"].get("claimRef") or {}).get("namespace") != identity.namespace:
                continue
            patch: Object = {"metadata": {"annotations": annotations(identity)}}
            if PROVISIONED in annotations_of(volume):
                patch["spec"] = {"persistentVolumeReclaimPolicy": "Delete"}
            check()
            try:
                server.patch(PERSISTENT_VOLUMES, volume["metadata"]["name"], patch, timeout=REQUEST)
            except ApiException as error:
                if error.status != 404:  # gone meanwhile, which is what is wanted
                    raise
