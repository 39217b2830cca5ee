"""Gives the wrapper back its rights in an environment's namespace, and the namespace that they are in."""

from kubernetes.client.exceptions import ApiException

from deploytag.api import NAMESPACES, ROLE_BINDINGS
from deploytag.delivery.cluster import Cluster
from deploytag.delivery.recovery import objects
from deploytag.errors import UnreachableError
from deploytag.identity import Identity
from deploytag.ownership import annotations, labels
from deploytag.preflight.rights import named, until_effective
from deploytag.rights import role_binding


def make_namespace(cluster: Cluster, identity: Identity) -> None:
    """Make the namespace bare, as strict as any class may ask for; the next `up` makes it what the class says."""
    body = {
        "metadata": {
            "name": identity.namespace,
            "labels": {**labels(identity), "pod-security.kubernetes.io/enforce": "restricted"},
            "annotations": annotations(identity),
        }
    }
    try:
        cluster.api.create(NAMESPACES, body, timeout=objects.TIMEOUT)
    except ApiException as error:
        if error.status != 409:  # somebody made it meanwhile
            raise


def give(cluster: Cluster, identity: Identity) -> None:
    """Make the namespace's RoleBinding as the program declares it, and wait until it holds.

    Raises:
        UnreachableError: the administrator named nobody for the project, or it does not hold after a while.
    """
    subjects = named(cluster.api, identity.project)
    if subjects is None:
        raise UnreachableError(
            f"the kubeconfig's user may not work in the namespace {identity.namespace}, and the cluster's "
            f"administrator named nobody who may deploy {identity.project}. `deploytag rights` prints what to apply."
        )
    body = role_binding(identity, subjects)
    try:
        cluster.api.create(ROLE_BINDINGS, body, identity.namespace, timeout=objects.TIMEOUT)
    except ApiException as error:
        if error.status != 409:  # somebody made it meanwhile
            raise
    until_effective(cluster.api, identity.namespace)
