"""Whether a rendered chart would undo what keeps its environment apart. Pure.

Policies add up, and a chart is installed with the rights that made them: one rule of its own, often a subchart's
default, would open what the environment's policies close.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv6Network, ip_network
from itertools import product
from typing import Any

from deploytag.internet import Network, inside, not_the_internet
from deploytag.preflight.pods import unfit_pods
from deploytag.preflight.rendered import Document, entries, kind_of, mappings, name_of, objects, one, several
from deploytag.settings import POLICY_FILE, Destination, Isolation

_NAMESPACE = "kubernetes.io/metadata.name"
_MAPPED = IPv6Network("::ffff:0:0/96")
"""IPv4 written as IPv6 (RFC 4291, 2.5.5.2): Go, and so what enforces policies, takes one for the other."""


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
    yield from unfit_pods(found)


def _opened(policy: Document, namespace: str, isolation: Isolation) -> Iterator[str]:
    """What its rules let pods connect to and the class does not."""
    spec = one(policy, "spec")
    if _unreadable(spec):
        yield "what nobody can tell: its egress has an entry that is no mapping"
    for rule in entries(spec, "egress"):
        targets = entries(rule, "to")
        if not targets or not all(targets):
            yield "everything"
        for target, ports in product(targets, _ports(rule)):
            block = one(target, "ipBlock")
            if block:
                if _beyond(block, ports, isolation):
                    yield f"{block.get('cidr')} at {ports}"
            elif "namespaceSelector" in target:
                space = one(one(target, "namespaceSelector"), "matchLabels").get(_NAMESPACE)
                pods = one(one(target, "podSelector"), "matchLabels").get("k8s-app")
                if (space, pods) == ("kube-system", "kube-dns"):
                    if not ports.within(_DNS):
                        yield f"the cluster's name servers at {ports}"
                elif space != namespace:
                    yield "pods of other namespaces"


def _unreadable(spec: Document) -> bool:
    """Whether a list of its rules has something that is neither an object nor `null`."""
    rules = several(spec, "egress")
    lists = [rules, *(several(rule, key) for rule in mappings(rules) for key in ("to", "ports"))]
    return any(not (it is None or isinstance(it, Mapping)) for each in lists for it in each)


@dataclass(frozen=True, slots=True)
class _Ports:
    """What one entry of a rule's `ports` stands for."""

    protocol: str | None
    """None: each."""
    first: Any
    """A number; what is none, such as a name, stands for no port that is known."""
    last: Any

    def __str__(self) -> str:
        if self.protocol is None:
            return "every port"
        return f"{self.protocol} {self.first}" + (f"-{self.last}" if self.last != self.first else "")

    def within(self, allowed: Iterable[tuple[str, int]]) -> bool:
        """Whether each of them is one of `allowed`, which are protocols and ports."""
        known = set(allowed)
        numbers = type(self.first) is type(self.last) is int and 1 <= self.first <= self.last <= _MOST
        return numbers and all((self.protocol, port) in known for port in range(self.first, self.last + 1))


_MOST = 65535
_EVERY = _Ports(None, 1, _MOST)
_DNS = (("UDP", 53), ("TCP", 53))


def _ports(rule: Document) -> list[_Ports]:
    """The ports of a rule; without any it is about all of them."""
    found = []
    for it in entries(rule, "ports"):
        first, last = it.get("port"), it.get("endPort")
        protocol = str(it.get("protocol") or "TCP")
        found.append(_Ports(protocol, 1, _MOST) if first is None else _Ports(protocol, first, last or first))
    return found or [_EVERY]


def _beyond(block: Document, ports: _Ports, isolation: Isolation) -> bool:
    """Whether a block has addresses that the class does not allow at these ports."""
    try:
        network = ip_network(str(block.get("cidr")), strict=False)
        excepted = [ip_network(str(it), strict=False) for it in several(block, "except")]
    except ValueError:
        return True  # the API server would refuse it too
    if inside(network, _MAPPED):
        return True
    granted = list(_granted(isolation))

    def allowed(part: Network) -> bool:
        return ports.within((it.protocol, port) for it in granted if inside(part, it.cidr) for port in it.ports)

    if allowed(network):
        return False
    if not isolation.internet:
        return True
    private = _shared(network, not_the_internet(network.version, isolation.cluster_cidrs))
    return any(not (any(inside(part, it) for it in excepted) or allowed(part)) for part in private)


def _granted(isolation: Isolation) -> Iterator[Destination]:
    """What the class lets pods connect to, beside the internet."""
    for cidr in isolation.dns_cidrs:
        for protocol in ("UDP", "TCP"):
            yield Destination(cidr=cidr, ports=(53,), protocol=protocol)
    for cidr in isolation.database_cidrs:
        yield Destination(cidr=cidr, ports=isolation.database_ports)
    yield from isolation.allow


def _shared(network: Network, others: Iterable[Network]) -> Iterator[Network]:
    """The parts of `network` that are in `others`: of two networks, one is in the other or they share nothing."""
    for other in others:
        if inside(other, network):
            yield other
        elif inside(network, other):
            yield network
