"""Whether a chart would undo what keeps its environment apart."""

from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploytag.internet import NOT_THE_INTERNET
from deploytag.preflight.bounds import out_of_bounds
from deploytag.settings import Isolation

HERE = "shop-feature-test"
ALLOWING = Isolation.model_validate(
    {"allow": [{"cidr": "10.1.0.0/16", "ports": [443]}], "dns_cidrs": ["169.254.20.10"]}
)


def policy(*egress: Any, **spec: Any) -> dict[str, Any]:
    return {"kind": "NetworkPolicy", "metadata": {"name": "own"}, "spec": {"egress": list(egress), **spec}}


def to(*targets: Any) -> dict[str, Any]:
    return {"to": list(targets)}


def block(cidr: str, *excepted: str) -> dict[str, Any]:
    return {"ipBlock": {"cidr": cidr, "except": list(excepted)}}


def namespaces(name: str, **pods: str) -> dict[str, Any]:
    selector = {"podSelector": {"matchLabels": pods}} if pods else {}
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}, **selector}


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        ({"kind": "Namespace", "metadata": {"name": "second"}}, "second is a namespace"),
        ({"kind": "Job", "metadata": {"name": "x", "namespace": "kube-system"}}, "is in the namespace kube-system"),
        ({"kind": "Job", "metadata": {"name": "x", "namespace": HERE}}, None),
        ({"kind": "Service", "metadata": {"name": "x"}, "spec": {"externalIPs": ["192.0.2.1"]}}, "externalIPs"),
        ({"kind": "Service", "metadata": {"name": "x"}, "spec": {"externalIPs": []}}, None),
        ({"kind": "List", "items": [policy({})]}, "everything"),
        ({"kind": "NetworkPolicyList", "items": [policy({})]}, "everything"),
        # Whatever has `items` is a list to Helm, and what does not say its kind is of the list's.
        ({"kind": "ConfigMap", "items": [policy({})]}, "everything"),
        ({"kind": "NetworkPolicyList", "items": [policy({}) | {"kind": ""}]}, "everything"),
        ({"kind": "NetworkPolicy", "items": [{"spec": {"egress": [{}]}}]}, "everything"),
        ({"kind": "ConfigMap", "items": None}, None),
        (policy({}), "everything"),
        (policy({"ports": [{"port": 53}]}), "everything"),
        (policy(to()), "everything"),
        (policy(to({"podSelector": {}})), None),
        (policy(to({"namespaceSelector": {}})), "pods of other namespaces"),
        (policy(to(namespaces("shop-feature-other"))), "pods of other namespaces"),
        (policy(to(namespaces(HERE))), None),
        (policy(to(namespaces("kube-system"))), "pods of other namespaces"),
        (policy(to(namespaces("kube-system", **{"k8s-app": "kube-dns"}))), None),
        (policy(to(block("0.0.0.0/0"))), "0.0.0.0/0"),
        (policy(to(block("0.0.0.0/0", "10.0.0.0/8"))), "0.0.0.0/0"),
        (policy(to(block("169.254.169.254/32"))), "169.254.169.254/32"),
        (policy(to(block("::ffff:0:0/0"))), "::ffff:0:0/0"),
        (policy(to(block("8.8.8.8/32"), block("10.9.0.0/16"))), "10.9.0.0/16"),
        (policy(to(block("8.8.8.8/32"))), None),
        (policy(to(block("2001:4860:4860::8888/128"))), None),
        (policy(to(block("10.1.2.0/24"), block("169.254.20.10/32"))), None),
        (policy(to(block("10.0.0.0/15"))), "10.0.0.0/15"),
        (policy(to(block("nonsense"))), "nonsense"),
        ({"kind": "NetworkPolicy", "spec": {"ingress": [{}]}}, None),
        ({"kind": "NetworkPolicy", "spec": "nonsense"}, None),
        ("nonsense", None),
    ],
)
def test_what_reaches_further_than_the_class_allows_is_refused(document: Any, complaint: str | None) -> None:
    said = out_of_bounds(HERE, [document], ALLOWING)
    assert (said is None) if complaint is None else (said is not None and complaint in said)


def test_a_class_without_internet_has_none_by_its_chart_either() -> None:
    assert out_of_bounds(HERE, [policy(to(block("8.8.8.8/32")))], Isolation(internet=False))


def test_a_class_without_network_policies_takes_what_comes() -> None:
    assert out_of_bounds(HERE, [policy({})], Isolation(network=False)) is None


@given(st.sampled_from(NOT_THE_INTERNET), st.integers(min_value=0), st.integers(0, 128))
def test_no_range_with_a_private_address_passes(private: Any, position: int, length: int) -> None:
    address = private[position % min(private.num_addresses, 2**63)]
    network = ip_network(f"{address}/{length % (address.max_prefixlen + 1)}", strict=False)
    assert ip_address(address) in network
    assert out_of_bounds(HERE, [policy(to(block(str(network))))], Isolation())
