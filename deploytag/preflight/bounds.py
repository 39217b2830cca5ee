"""Whether a rendered chart would undo what keeps its environment apart. Pure.

Policies add up, and a chart is installed with the rights that made them: one rule of its own, often a subchart's
default, would open what the environment's policies close.
"""

from collections.abc import Iterable, Iterator
from ipaddress import ip_network
from typing import Any

from deploytag.internet import Network, inside, not_the_internet
from deploytag.preflight.rendered import Document, kind_of, mappings, name_of, objects, one, several
from deploytag.settings import POLICY_FILE, Isolation

_NAMESPACE = "kubernetes.io/metadata.name"


def out_of_bounds(namespace: str, documents: Iterable[Any], isolation: Isolation) -> str | None:
    """What of the chart's objects reaches beyond its environment, as a sentence; None when nothing does."""
    complaint = next(_complaints(namespace, list(objects(documents)), isolation), None)
    return f"the chart cannot be installed: {complaint}. Nothing was touched." if complaint else None


def _complaints(namespace: str, found: list[Document], isolation: Isolation) -> Iterator[str]:
    for it in found:
        where = one(it, "metadata").get("namespace")
        if kind_of(it) == "Namespace" or where not in (None, "", namespace):
            beyond = "is a namespace" if kind_of(it) == "Namespace" else f"is in the namespace {where}"
            yield f"its {kind_of(it)} {name_of(it)} {beyond}, and an environment is one namespace, {namespace}"
        if kind_of(it) == "Service" and several(one(it, "spec"), "externalIPs"):
            yield (
                f"its Service {name_of(it)} has externalIPs, by which every node would lead somebody else's "
                "addresses to its pods"
            )
        if kind_of(it) == "NetworkPolicy" and isolation.network:
            for target in _opened(it, namespace, isolation):
                yield (
                    f"its NetworkPolicy {name_of(it)} lets pods connect to {target}. Policies add up, so what keeps "
                    "the environment apart would be open: leave it out, by the chart's values if it is a subchart's, "
                    f"and name in {POLICY_FILE} what pods need (`isolation.allow` of the class)"
                )


def _opened(policy: Document, namespace: str, isolation: Isolation) -> Iterator[str]:
    """What its rules let pods connect to and the class does not."""
    for rule in mappings(several(one(policy, "spec"), "egress")):
        targets = mappings(several(rule, "to"))
        if not targets:
            yield "everything"
        for target in targets:
            block = one(target, "ipBlock")
            if block:
                if _beyond(block, isolation):
                    yield str(block.get("cidr"))
            elif "namespaceSelector" in target and not _is_known(target, namespace):
                yield "pods of other namespaces"


def _is_known(target: Document, namespace: str) -> bool:
    """Whether it selects the environment itself, or the cluster's name servers."""
    labels = one(one(target, "namespaceSelector"), "matchLabels").get(_NAMESPACE)
    pods = one(one(target, "podSelector"), "matchLabels").get("k8s-app")
    return labels == namespace or (labels == "kube-system" and pods == "kube-dns")


def _beyond(block: Document, isolation: Isolation) -> bool:
    """Whether a block has addresses that the class does not allow."""
    try:
        network = ip_network(str(block.get("cidr")), strict=False)
        excepted = [ip_network(str(it), strict=False) for it in several(block, "except")]
    except ValueError:
        return True  # the API server would refuse it too
    allowed = [*isolation.dns_cidrs, *isolation.database_cidrs, *(it.cidr for it in isolation.allow)]
    if any(inside(network, it) for it in allowed):
        return False
    if not isolation.internet:
        return True
    private = _shared(network, not_the_internet(network.version, isolation.cluster_cidrs))
    return any(not any(inside(part, it) for it in [*excepted, *allowed]) for part in private)


def _shared(network: Network, others: Iterable[Network]) -> Iterator[Network]:
    """The parts of `network` that are in `others`: of two networks, one is in the other or they share nothing."""
    for other in others:
        if inside(other, network):
            yield other
        elif inside(network, other):
            yield network
