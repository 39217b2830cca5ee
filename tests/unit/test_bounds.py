"""Whether a chart would undo what keeps its environment apart."""

from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploytag.internet import NOT_THE_INTERNET
from deploytag.preflight.bounds import out_of_bounds
from deploytag.settings import Isolation

DNS = {
    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
    "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
}
HERE = "shop-feature-test"
ALLOWING = Isolation.model_validate(
    {
        "allow": [
            {"cidr": "10.1.0.0/16", "ports": [443, 444]},
            {"cidr": "10.1.2.0/24", "ports": [445]},
            {"cidr": "10.3.0.7", "ports": [514], "protocol": "UDP"},
        ],
        "dns_cidrs": ["169.254.20.10"],
        "database_cidrs": ["10.9.0.0/24"],
    }
)


def policy(*egress: Any, **spec: Any) -> dict[str, Any]:
    return {"kind": "NetworkPolicy", "metadata": {"name": "own"}, "spec": {"egress": list(egress), **spec}}


def to(*targets: Any) -> dict[str, Any]:
    return {"to": list(targets)}


def at(rule: dict[str, Any], *ports: Any) -> dict[str, Any]:
    """The rule, for some ports only: a number is one of TCP."""
    return {**rule, "ports": [{"port": it} if isinstance(it, int | str) else it for it in ports]}


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
        (policy(at(to(DNS), {"port": 53, "protocol": "UDP"}, 53)), None),
        (policy(to(DNS)), "the cluster's name servers at every port"),
        (policy(at(to(DNS), 9153)), "the cluster's name servers at TCP 9153"),
        (policy(at(to(DNS), {"protocol": "UDP"})), "the cluster's name servers at UDP 1-65535"),
        (policy(to(block("0.0.0.0/0"))), "0.0.0.0/0"),
        (policy(to(block("0.0.0.0/0", "10.0.0.0/8"))), "0.0.0.0/0"),
        (policy(to(block("169.254.169.254/32"))), "169.254.169.254/32"),
        (policy(to(block("::ffff:0:0/0"))), "::ffff:0:0/0"),
        (policy(to(block("8.8.8.8/32"), block("10.9.0.0/16"))), "10.9.0.0/16"),
        (policy(to(block("8.8.8.8/32"))), None),
        (policy(to(block("2001:4860:4860::8888/128"))), None),
        (policy(to(block("10.1.2.0/24"))), "10.1.2.0/24 at every port"),
        (policy(at(to(block("10.1.2.0/24")), 443)), None),
        (policy(at(to(block("10.1.2.0/24")), 443, 445)), None),
        (policy(at(to(block("10.1.2.0/24")), {"port": 443, "endPort": 445})), None),
        (policy(at(to(block("10.1.2.0/24")), {"port": 443, "endPort": 446})), "at TCP 443-446"),
        (policy(at(to(block("10.1.2.0/24")), 443, 446)), "10.1.2.0/24 at TCP 446"),
        (policy(at(to(block("10.1.3.0/24")), 443, 445)), "10.1.3.0/24 at TCP 445"),
        (policy(at(to(block("10.1.2.0/24")), {"port": 443, "protocol": "UDP"})), "at UDP 443"),
        (policy(at(to(block("10.1.2.0/24")), "https")), "10.1.2.0/24 at TCP https"),
        (policy(at(to(block("10.1.2.0/24")), {"port": True})), "at TCP True"),
        (policy(at(to(block("10.1.2.0/24")), {"port": 443, "endPort": "444"})), "at TCP 443-444"),
        (policy(at(to(block("10.1.2.0/24")), {"port": 444, "endPort": 443})), "at TCP 444-443"),
        (policy({**to(block("10.1.2.0/24")), "ports": ["443"]}), "an entry that is no mapping"),
        # Kubernetes takes null for the empty rule, which allows everything.
        (policy(None), "everything"),
        (policy(to({"podSelector": {}}), None), "everything"),
        (policy(to({"podSelector": {}}, None)), "everything"),
        (policy({**to(block("10.1.2.0/24")), "ports": [{"port": 443}, None]}), "10.1.2.0/24 at TCP 1-65535"),
        (policy("nonsense"), "an entry that is no mapping"),
        (policy(to({"podSelector": {}}, [])), "an entry that is no mapping"),
        (policy({**to(block("8.8.8.8/32")), "ports": [443]}), "an entry that is no mapping"),
        (policy(at(to(block("10.0.0.0/15")), 443)), "10.0.0.0/15"),
        (policy(at(to(block("10.3.0.7/32")), {"port": 514, "protocol": "UDP"})), None),
        (policy(at(to(block("10.3.0.7/32")), 514)), "at TCP 514"),
        (policy(at(to(block("169.254.20.10/32")), 53)), None),
        (policy(at(to(block("169.254.20.10/32")), 80)), "169.254.20.10/32 at TCP 80"),
        (policy(at(to(block("10.9.0.7/32")), 5432)), None),
        (policy(at(to(block("10.9.0.7/32")), 22)), "10.9.0.7/32 at TCP 22"),
        (policy(at(to(block("0.0.0.0/0", "10.0.0.0/9", "10.128.0.0/9")), 443)), "0.0.0.0/0 at TCP 443"),
        (policy(at(to(block("8.0.0.0/5", "10.0.0.0/16", "10.2.0.0/8")), 443)), None),
        # Kubernetes takes these for the addresses of IPv4 that they stand for.
        (policy(to(block("::ffff:10.0.0.0/104"))), "::ffff:10.0.0.0/104"),
        (policy(to(block("::ffff:8.8.8.8/128"))), "::ffff:8.8.8.8/128"),
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


NO_MAPPINGS = st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=2)


@given(NO_MAPPINGS, st.sampled_from(["egress", "to", "ports"]), st.integers(0, 1))
def test_no_list_of_a_policy_has_anything_but_mappings(junk: Any, where: str, position: int) -> None:
    lists: dict[str, list[Any]] = {"ports": [{"port": 443}], "to": [block("10.1.2.0/24")]}
    lists["egress"] = [{key: lists[key] for key in ("to", "ports")}]
    assert out_of_bounds(HERE, [policy(*lists["egress"])], ALLOWING) is None
    lists[where].insert(position, junk)
    assert out_of_bounds(HERE, [policy(*lists["egress"])], ALLOWING)
