"""The network policies of an environment: nothing goes in or out but what one of them allows."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pulumi_kubernetes.meta.v1 import LabelSelectorArgs
from pulumi_kubernetes.networking.v1 import (
    IPBlockArgs,
    NetworkPolicyEgressRuleArgs,
    NetworkPolicyIngressRuleArgs,
    NetworkPolicyPeerArgs,
    NetworkPolicyPortArgs,
    NetworkPolicySpecArgs,
)

from deploytag.internet import ANYWHERE, not_the_internet
from deploytag.settings import Destination, Isolation, Network

PUBLIC_LABEL = "deploytag.dev/public"
"""Pods with this label set to `true` may be reached from outside their namespace."""

_EVERY_POD = LabelSelectorArgs()
_IN, _OUT = "Ingress", "Egress"


@dataclass(frozen=True, slots=True)
class DatabaseServer:
    """Where the environment's database is reached."""

    networks: tuple[Network, ...]
    port: int


@dataclass(frozen=True, slots=True)
class Policy:
    """One network policy."""

    name: str
    allows: str
    """What it lets through, for people: an annotation of the object."""
    spec: NetworkPolicySpecArgs


def policies(isolation: Isolation, database: DatabaseServer | None) -> tuple[Policy, ...]:
    """The policies of one environment; they add up, so each is one thing that is allowed. Pure."""
    if not isolation.network:
        return ()
    return tuple(_policies(isolation, database))


def _policies(isolation: Isolation, database: DatabaseServer | None) -> Iterator[Policy]:
    yield Policy(
        "default-deny",
        "nothing, in or out, but what the other policies name",
        NetworkPolicySpecArgs(pod_selector=_EVERY_POD, policy_types=[_IN, _OUT]),
    )
    own = [NetworkPolicyPeerArgs(pod_selector=_EVERY_POD)]
    yield Policy(
        "inside",
        "the environment's pods, among themselves",
        NetworkPolicySpecArgs(
            pod_selector=_EVERY_POD,
            policy_types=[_IN, _OUT],
            ingress=[NetworkPolicyIngressRuleArgs(from_=own)],
            egress=[NetworkPolicyEgressRuleArgs(to=own)],
        ),
    )
    yield Policy(
        "public",
        f"from anywhere, to pods labelled {PUBLIC_LABEL}=true",
        NetworkPolicySpecArgs(
            pod_selector=LabelSelectorArgs(match_labels={PUBLIC_LABEL: "true"}),
            policy_types=[_IN],
            ingress=[NetworkPolicyIngressRuleArgs()],
        ),
    )
    yield _dns(isolation.dns_cidrs)
    if database is not None and database.networks:
        yield _egress(
            "database",
            f"to the database server at {_listed(database.networks)}, port {database.port}",
            NetworkPolicyEgressRuleArgs(to=_blocks(database.networks), ports=_ports([database.port])),
        )
    if isolation.internet:
        yield _internet(isolation.cluster_cidrs)
    if isolation.allow:
        yield _egress(
            "allowed", f"to {'; '.join(_said(it) for it in isolation.allow)}", *(_allowed(it) for it in isolation.allow)
        )


def _dns(networks: Sequence[Network]) -> Policy:
    # The label that every distribution of Kubernetes has kept, whichever server is behind it; and that of NodeLocal
    # DNSCache, to which some networks redirect before they judge.
    pods = [
        NetworkPolicyPeerArgs(
            namespace_selector=LabelSelectorArgs(match_labels={"kubernetes.io/metadata.name": "kube-system"}),
            pod_selector=LabelSelectorArgs(match_labels={"k8s-app": app}),
        )
        for app in ("kube-dns", "node-local-dns")
    ]
    return _egress(
        "dns",
        "to the cluster's name servers" + (f" and {_listed(networks)}" if networks else "") + ", port 53",
        NetworkPolicyEgressRuleArgs(to=[*pods, *_blocks(networks)], ports=[*_ports([53], "UDP"), *_ports([53], "TCP")]),
    )


def _internet(cluster: Sequence[Network]) -> Policy:
    return _egress(
        "internet",
        "to public addresses" + (f" without the cluster's own {_listed(cluster)}" if cluster else ""),
        NetworkPolicyEgressRuleArgs(to=[_public(everything, cluster) for everything in ANYWHERE]),
    )


def _public(everything: Network, cluster: Iterable[Network]) -> NetworkPolicyPeerArgs:
    excluded = [str(it) for it in not_the_internet(everything.version, cluster)]
    return NetworkPolicyPeerArgs(ip_block=IPBlockArgs(cidr=str(everything), except_=excluded))


def _egress(name: str, allows: str, *rules: NetworkPolicyEgressRuleArgs) -> Policy:
    return Policy(name, allows, NetworkPolicySpecArgs(pod_selector=_EVERY_POD, policy_types=[_OUT], egress=list(rules)))


def _allowed(destination: Destination) -> NetworkPolicyEgressRuleArgs:
    return NetworkPolicyEgressRuleArgs(
        to=_blocks([destination.cidr]), ports=_ports(destination.ports, destination.protocol)
    )


def _said(destination: Destination) -> str:
    ports = ", ".join(map(str, destination.ports))
    return f"{destination.cidr}, {destination.protocol} {ports}"


def _blocks(networks: Iterable[Network]) -> list[NetworkPolicyPeerArgs]:
    return [NetworkPolicyPeerArgs(ip_block=IPBlockArgs(cidr=str(network))) for network in networks]


def _ports(ports: Iterable[int], protocol: str = "TCP") -> list[NetworkPolicyPortArgs]:
    return [NetworkPolicyPortArgs(port=port, protocol=protocol) for port in ports]


def _listed(networks: Iterable[Network]) -> str:
    return ", ".join(map(str, networks))
