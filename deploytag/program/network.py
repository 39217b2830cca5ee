"""The network policies of an environment: nothing goes in or out but what one of them allows."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network

from pulumi_kubernetes.meta.v1 import LabelSelectorArgs
from pulumi_kubernetes.networking.v1 import (
    IPBlockArgs,
    NetworkPolicyEgressRuleArgs,
    NetworkPolicyIngressRuleArgs,
    NetworkPolicyPeerArgs,
    NetworkPolicyPortArgs,
    NetworkPolicySpecArgs,
)

from deploytag.settings import Destination, Isolation, Network

PUBLIC_LABEL = "deploytag.dev/public"
"""Pods with this label set to `true` may be reached from outside their namespace."""

ANYWHERE = (IPv4Network("0.0.0.0/0"), IPv6Network("::/0"))

NOT_THE_INTERNET = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT: pods of many clouds, and Alibaba's metadata
        "127.0.0.0/8",
        "168.63.129.16/32",  # Azure's metadata and certificates, at a public address
        "169.254.0.0/16",  # the metadata of AWS, Google and most others
        "172.16.0.0/12",
        "192.0.0.0/24",  # Oracle's metadata
        "192.168.0.0/16",
        "198.18.0.0/15",
        "224.0.0.0/4",
        "240.0.0.0/4",  # pods of some clusters
        "::/127",
        "64:ff9b:1::/48",
        "fc00::/7",  # unique local, and AWS's metadata fd00:ec2::254
        "fe80::/10",
        "ff00::/8",
    )
)
"""Addresses where nodes, pods, Services, databases and the cloud's metadata are: never public, or not meant to be."""

NAT64 = IPv6Network("64:ff9b::/96")
"""Where clusters that only have IPv6 find every IPv4 address, the private ones too (RFC 6052)."""

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
    # The label that every distribution of Kubernetes has kept, whichever server is behind it.
    pods = NetworkPolicyPeerArgs(
        namespace_selector=LabelSelectorArgs(match_labels={"kubernetes.io/metadata.name": "kube-system"}),
        pod_selector=LabelSelectorArgs(match_labels={"k8s-app": "kube-dns"}),
    )
    return _egress(
        "dns",
        "to the cluster's name servers" + (f" and {_listed(networks)}" if networks else "") + ", port 53",
        NetworkPolicyEgressRuleArgs(to=[pods, *_blocks(networks)], ports=[*_ports([53], "UDP"), *_ports([53], "TCP")]),
    )


def _internet(cluster: Sequence[Network]) -> Policy:
    return _egress(
        "internet",
        "to public addresses" + (f" without the cluster's own {_listed(cluster)}" if cluster else ""),
        NetworkPolicyEgressRuleArgs(
            to=[
                NetworkPolicyPeerArgs(ip_block=IPBlockArgs(cidr=str(everything), except_=_private(everything, cluster)))
                for everything in ANYWHERE
            ]
        ),
    )


def _private(everything: Network, cluster: Iterable[Network]) -> list[str]:
    """What of all addresses of one family is not the internet."""
    excluded = [*NOT_THE_INTERNET, *cluster]
    if everything.version == 4:
        return [str(it) for it in collapse_addresses(it for it in excluded if isinstance(it, IPv4Network))]
    translated = [_through_nat64(it) for it in excluded if isinstance(it, IPv4Network)]
    six = [it for it in excluded if isinstance(it, IPv6Network)]
    return [str(it) for it in collapse_addresses([*six, *translated])]


def _through_nat64(network: IPv4Network) -> IPv6Network:
    first = int(NAT64.network_address) | int(network.network_address)
    return IPv6Network((first, NAT64.prefixlen + network.prefixlen))


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
