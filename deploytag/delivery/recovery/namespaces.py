"""Waiting for a namespace to be gone, and saying what keeps it when it does not go."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from kubernetes.dynamic.exceptions import DynamicApiError, ResourceNotFoundError

from deploytag.api import NAMESPACES
from deploytag.delivery.cluster import Cluster
from deploytag.delivery.recovery import objects
from deploytag.errors import DeploymentError

PATIENCE = 60.0
"""Seconds a namespace may take to be gone: pods get 30 to end."""

_REMAINING = re.compile(r"([a-z0-9-]+)\.(\S*) has \d+ resource")
_GROUP_VERSION = re.compile(r"\b([a-z0-9.-]+\.[a-z0-9.-]+)/(v[0-9a-z]+)\b")
_DISCOVERY = "NamespaceDeletionDiscoveryFailure"


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition of a namespace's status that holds."""

    type: str
    message: str


def delete(cluster: Cluster, namespace: str, uid: str) -> None:
    """Delete exactly the namespace that was looked at."""
    cluster.api.delete(NAMESPACES, namespace, uid=uid, timeout=objects.TIMEOUT)


def await_gone(cluster: Cluster, namespace: str, patience: float = PATIENCE) -> None:
    """Wait until there is no such namespace.

    Raises:
        DeploymentError: it is still there after `patience` seconds; the sentence says what keeps it.
    """
    if not objects.await_gone(cluster, NAMESPACES, namespace, patience=patience):
        conditions = _conditions(cluster, namespace)
        raise DeploymentError(why_it_stays(namespace, patience, conditions, _holders(cluster, namespace, conditions)))


def _conditions(cluster: Cluster, namespace: str) -> list[Condition]:
    found = cluster.api.find(NAMESPACES, namespace, timeout=objects.TIMEOUT) or {}
    conditions = (found.get("status") or {}).get("conditions") or ()
    return [Condition(it["type"], it.get("message") or "") for it in conditions if it["status"] == "True"]


def _holders(cluster: Cluster, namespace: str, conditions: Sequence[Condition]) -> list[str]:
    """The objects that remain, with their finalizers, of the kinds that the namespace's conditions name."""
    client, found = objects.dynamic(cluster), []
    for plural, group in sorted(remaining_kinds(conditions)):
        try:
            kinds = [kind for kind in client.resources.search(name=plural, group=group) if kind.namespaced]
            items = kinds[0].get(namespace=namespace).items if kinds else []
        except (DynamicApiError, ResourceNotFoundError):
            continue  # the condition itself names the kind
        found += [
            f"{item.kind} {item.metadata.name} ({', '.join(item.metadata.finalizers or ['no finalizer'])})"
            for item in items
        ]
    return found


def remaining_kinds(conditions: Sequence[Condition]) -> set[tuple[str, str]]:
    """Plural and group of each kind whose objects remain, from the conditions' messages. Pure."""
    return {(plural, group) for condition in conditions for plural, group in _REMAINING.findall(condition.message)}


def blockers(cluster: Cluster, namespace: str) -> list[str]:
    """What keeps a namespace that is being deleted, a sentence each."""
    conditions = _conditions(cluster, namespace)
    return kept_by(conditions, _holders(cluster, namespace, conditions))


def why_it_stays(namespace: str, patience: float, conditions: Sequence[Condition], holders: Sequence[str]) -> str:
    """The sentences on what keeps a namespace. Pure."""
    begin = f"The namespace {namespace} is being deleted and was not gone within {patience:.0f} s."
    return " ".join([begin, *kept_by(conditions, holders)])


def kept_by(conditions: Sequence[Condition], holders: Sequence[str]) -> list[str]:
    """The same without the namespace itself. Pure."""
    sentences = []
    apis = {
        f"{version}.{group}"
        for condition in conditions
        if condition.type == _DISCOVERY
        for group, version in _GROUP_VERSION.findall(condition.message)
    }
    if apis:
        sentences.append(
            f"The APIService {', '.join(sorted(apis))} does not answer, so Kubernetes cannot tell what is left in it: "
            "repair what serves it, or delete the APIService."
        )
    if holders:
        sentences.append(
            f"What remains in it: {', '.join(holders)}. Whatever set a finalizer has to remove it; is it still running?"
        )
    sentences += [f"Kubernetes says: {it.message}" for it in conditions if it.message and not (apis or holders)]
    return sentences or ["Kubernetes has not said what keeps it: its controller manager may not be running."]
