"""What the network policies let through, judged as Kubernetes does: they add up, and what none allows is denied."""

from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from itertools import combinations
from typing import Any

import pytest

from deploytag.program.network import DatabaseServer as Server
from deploytag.program.network import Policy, policies
from deploytag.settings import EnvironmentClass, Isolation
from tests.program.environments import FULL, declare
from tests.program.world import values

SERVER = Server((ip_network("10.9.0.7/32"), ip_network("2001:db8::7/128")), 6432)
POLICY = "kubernetes:networking.k8s.io/v1:NetworkPolicy"


@dataclass(frozen=True)
class Pod:
    """Who is at an address of the cluster."""

    namespace: str
    labels: tuple[tuple[str, str], ...] = ()


OWN, OTHER = Pod("own"), Pod("other", (("deploytag.dev/public", "true"),))
DNS = Pod("kube-system", (("k8s-app", "kube-dns"),))


def isolation(**changes: Any) -> Isolation:
    return Isolation.model_validate(changes)


def spec(policy: Policy) -> Any:
    """Its specification, whose fields might be outputs and are none here."""
    return policy.spec


def leaves_for(
    rules: tuple[Policy, ...], address: str, port: int, protocol: str = "TCP", pod: Pod | None = None
) -> bool:
    """Whether a pod of the environment may connect there. The whole of what NetworkPolicy says about egress."""
    return any(
        _ports(rule.ports, port, protocol) and any(_peer(peer, address, pod) for peer in rule.to)
        for policy in rules
        for rule in spec(policy).egress or ()
    )


def _ports(ports: Any, port: int, protocol: str) -> bool:
    return not ports or any((it.port, it.protocol) == (port, protocol) for it in ports)


def _peer(peer: Any, address: str, pod: Pod | None) -> bool:
    if (block := peer.ip_block) is not None:
        ip = ip_address(address)
        return ip in ip_network(block.cidr) and not any(ip in ip_network(it) for it in block.except_ or ())
    if pod is None:
        return False
    spaces = peer.namespace_selector
    namespace = pod.namespace == (spaces.match_labels["kubernetes.io/metadata.name"] if spaces else OWN.namespace)
    return namespace and (peer.pod_selector.match_labels or {}).items() <= dict(pod.labels).items()


PRIVATE = (
    *("10.244.0.9", "172.30.0.1", "192.168.1.1", "100.64.0.1", "127.0.0.1", "169.254.169.254", "168.63.129.16"),
    *("100.100.100.200", "192.0.0.192", "240.0.0.1", "198.19.0.1", "224.0.0.1", "0.0.0.0", "fd00:ec2::254"),
    *("fe80::1", "fd12::1", "::1", "64:ff9b::a9fe:a9fe", "64:ff9b::10.0.0.1", "64:ff9b:1::1"),
)
PUBLIC = ("1.1.1.1", "172.32.0.1", "192.0.1.1", "100.128.0.1", "2606:4700::1111", "64:ff9b::1.1.1.1")


@pytest.mark.parametrize("address", PRIVATE)
@pytest.mark.parametrize("port", [53, 80, 443, 6432])
def test_nothing_private_is_the_internet(address: str, port: int) -> None:
    assert not leaves_for(policies(isolation(), SERVER), address, port)


@pytest.mark.parametrize("address", PUBLIC)
def test_the_internet_is_reached_unless_the_class_has_none(address: str) -> None:
    assert leaves_for(policies(isolation(), SERVER), address, 443)
    assert not leaves_for(policies(isolation(internet=False), SERVER), address, 443)


def test_the_clusters_public_addresses_are_not_the_internet_when_named() -> None:
    named = policies(isolation(cluster_cidrs=["203.0.112.0/20", "2a05:d018::/36"]), None)
    assert not leaves_for(named, "203.0.113.7", 6443)
    assert not leaves_for(named, "2a05:d018::7", 6443)
    assert not leaves_for(named, "64:ff9b::203.0.113.7", 6443)
    assert leaves_for(named, "203.0.128.1", 6443)


@pytest.mark.parametrize(
    ("address", "port", "protocol", "pod", "allowed"),
    [
        ("10.9.0.7", 6432, "TCP", None, True),
        ("2001:db8::7", 6432, "TCP", None, True),
        ("10.9.0.7", 22, "TCP", None, False),
        ("10.9.0.8", 6432, "TCP", None, False),
        ("10.0.0.1", 6379, "TCP", OWN, True),
        ("10.0.0.1", 80, "TCP", OTHER, False),
        ("10.0.0.2", 53, "UDP", DNS, True),
        ("10.0.0.2", 53, "TCP", DNS, True),
        ("10.0.0.2", 53, "UDP", Pod("kube-system", (("k8s-app", "node-local-dns"),)), True),
        ("10.0.0.2", 9153, "TCP", DNS, False),
        ("10.0.0.2", 53, "UDP", Pod("other", DNS.labels), False),
        ("10.0.0.2", 53, "UDP", Pod("kube-system"), False),
        ("169.254.20.10", 53, "UDP", None, False),
    ],
)
def test_what_the_defaults_allow(address: str, port: int, protocol: str, pod: Pod | None, allowed: bool) -> None:
    assert leaves_for(policies(isolation(), SERVER), address, port, protocol, pod) is allowed


def test_what_a_class_names_is_reached_and_nothing_beside_it() -> None:
    more = policies(
        isolation(dns_cidrs=["169.254.20.10"], allow=[{"cidr": "10.1.0.0/16", "ports": [9200, 9300]}]), SERVER
    )
    assert leaves_for(more, "169.254.20.10", 53, "UDP")
    assert not leaves_for(more, "169.254.20.10", 80)
    assert leaves_for(more, "10.1.2.3", 9300)
    assert not leaves_for(more, "10.1.2.3", 9301)
    assert not leaves_for(more, "10.1.2.3", 9300, "UDP")


def test_the_exceptions_are_as_the_api_server_takes_them() -> None:
    """Each of the block's own family, inside of it and narrower; none twice."""
    (internet,) = [it for it in policies(isolation(cluster_cidrs=["10.1.0.0/16"]), None) if it.name == "internet"]
    blocks = [peer.ip_block for rule in spec(internet).egress for peer in rule.to]
    assert [block.cidr for block in blocks] == ["0.0.0.0/0", "::/0"]
    for block in blocks:
        excepted = [ip_network(it) for it in block.except_]
        assert all(it.version == ip_network(block.cidr).version and it.prefixlen > 0 for it in excepted)
        assert not any(one.overlaps(other) for one, other in combinations(excepted, 2))


def declared(cls: EnvironmentClass) -> dict[str, dict[str, Any]]:
    found = [values(it) for it in declare(cls=cls).all(POLICY)]
    return {it["metadata.name"]: it for it in found}


def of(**changes: Any) -> EnvironmentClass:
    return FULL.model_copy(update={"isolation": isolation(**changes)})


def test_only_public_pods_are_reached_from_outside() -> None:
    found: dict[str, Any] = {it.name: it.spec for it in policies(isolation(), SERVER)}
    assert {name for name, spec in found.items() if "Ingress" in spec.policy_types} == {
        "default-deny",
        "inside",
        "public",
    }
    deny = found["default-deny"]
    assert (deny.pod_selector.match_labels, deny.ingress, deny.egress) == (None, None, None)
    ((own,),) = [rule.from_ for rule in found["inside"].ingress]
    assert (own.pod_selector.match_labels, own.namespace_selector, own.ip_block) == (None, None, None)
    assert found["public"].pod_selector.match_labels == {"deploytag.dev/public": "true"}
    # A rule without a peer is everybody.
    assert [rule.from_ for rule in found["public"].ingress] == [None]


def test_every_policy_says_what_it_allows() -> None:
    found = declared(of(allow=[{"cidr": "10.1.2.0/24", "ports": [443, 8443]}]))
    said = {name: it["metadata.annotations.deploytag.dev/allows"] for name, it in found.items()}
    assert said["database"] == "to the database server at 192.0.2.7/32, port 5432"
    assert said["allowed"] == "to 10.1.2.0/24, TCP 443, 8443"
    assert all(said.values())


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({}, {"default-deny", "inside", "public", "dns", "database", "internet"}),
        ({"internet": False}, {"default-deny", "inside", "public", "dns", "database"}),
        ({"network": False}, set()),
    ],
)
def test_each_part_is_the_classs_choice(changes: dict[str, Any], names: set[str]) -> None:
    assert set(declared(of(**changes))) == names


def test_the_pod_security_standard_is_the_classs_choice() -> None:
    namespace = values(declare(cls=of(pod_security="baseline")).one("kubernetes:core/v1:Namespace"))
    assert namespace["metadata.labels.pod-security.kubernetes.io/enforce"] == "baseline"


def test_policies_without_the_databases_addresses_are_refused() -> None:
    with pytest.raises(ValueError, match="need the networks"):
        declare(database_networks=())
    declare(cls=of(network=False), database_networks=())
