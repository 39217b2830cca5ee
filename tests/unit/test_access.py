"""How environments are reached: what a class may say, what a chart is told, and what of a chart is refused."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import ValidationError

from deploytag.address import host_of
from deploytag.contract import AccessValues, access_values
from deploytag.identity import identify
from deploytag.preflight.doors import wrong_door
from deploytag.settings import Access
from deploytag.settings.access import INTERNAL, Cloud

IDENTITY = identify("shop", "feature/test")
HOST = "shop-feature-test.preview.example.org"
INGRESS = {"class": "public", "host": "*.preview.example.org"}


def values(**access: Any) -> AccessValues:
    found = access_values(Access.model_validate(access), IDENTITY)
    assert found is not None
    return found


# --- settings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("access", "complaint"),
    [
        ({"expose": "nodeport"}, "loadbalancer"),
        ({"expose": "ingress"}, "needs `ingress`"),
        ({"ingress": INGRESS}, "needs `expose: ingress`"),
        ({"expose": "ingress", "ingress": INGRESS, "source_ranges": ["192.0.2.0/24"]}, "of load balancers"),
        ({"expose": "ingress", "ingress": INGRESS, "internal": "aws"}, "of load balancers"),
        ({"expose": "ingress", "ingress": INGRESS | {"tls_secret": "x"}}, "tls: true"),
        ({"source_ranges": ["192.0.2.1/24"]}, "host bits"),
        ({"source_ranges": ["everybody"]}, "network"),
        ({"internal": "true"}, "aws"),
        *[
            ({"expose": "ingress", "ingress": {"class": "public", "host": host}}, "must be a star")
            for host in (
                *("preview.example.org", "*", "*.", "a.*.org", "**.org", "*.Example.org", "*.x_y.org", "*.-x.org"),
                *("*.org\n", "*.example.org.", f"*.{'a' * 64}.org", "*" + ".abcdefgh" * 23, "*.${HOME}"),
            )
        ],
    ],
)
def test_what_makes_no_sense_is_refused(access: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        Access.model_validate(access)


def test_every_environments_host_is_one_label_and_never_too_long() -> None:
    longest = identify("p" * 90, "feature/" + "x" * 200)
    host = host_of("*" + ".abcdefgh" * 22 + ".a", longest)
    assert len(host) <= 253
    assert host.split(".")[0] == longest.host
    assert host_of("*.preview.example.org", IDENTITY) == HOST


def test_a_chart_is_told_nothing_where_the_class_says_nothing() -> None:
    assert access_values(Access(), IDENTITY) is None


@pytest.mark.parametrize("cloud", Cloud)
def test_an_internal_load_balancer_has_the_annotations_of_its_cloud(cloud: Cloud) -> None:
    told = values(internal=cloud, annotations={"more": "yes"})
    assert told["annotations"] == {**INTERNAL[cloud], "more": "yes"}


# --- charts -----------------------------------------------------------------------------------------------------------


def service(kind: str, name: str = "shop", **spec: Any) -> dict[str, Any]:
    annotations = spec.pop("annotations", {})
    return {"kind": "Service", "metadata": {"name": name, "annotations": annotations}, "spec": {"type": kind, **spec}}


def ingress(host: str | None = HOST, name: str = "shop", **spec: Any) -> dict[str, Any]:
    rules = [{"host": host}] if host else [{}]
    return {
        "kind": "Ingress",
        "metadata": {"name": name},
        "spec": {"ingressClassName": "public", "rules": rules, **spec},
    }


def annotated(**annotations: str) -> dict[str, Any]:
    """The Ingress as it should be, but for these annotations."""
    it = ingress()
    return {**it, "metadata": {**it["metadata"], "annotations": annotations}}


RANGES = values(source_ranges=["192.0.2.0/24", "198.51.100.0/24"])
PRIVATE = values(internal="gcp")
NAMED = values(annotations={"who": "us"})
GCP = INTERNAL[Cloud.GCP]
BY_INGRESS = values(expose="ingress", ingress=INGRESS)
ANNOTATED = values(expose="ingress", ingress=INGRESS, annotations={"who": "us"})
BY_TLS = values(expose="ingress", ingress=INGRESS | {"tls": True, "tls_secret": "wildcard"})
OPEN = service("LoadBalancer")
GIVEN = service("LoadBalancer", loadBalancerSourceRanges=["198.51.100.0/24", "192.0.2.0/24"])
CLUSTER_IP = service("ClusterIP")
TLS = [{"hosts": [HOST], "secretName": "wildcard"}]


@pytest.mark.parametrize(
    ("access", "documents", "complaint"),
    [
        (RANGES, [GIVEN], None),
        (RANGES, [OPEN], "and has none"),
        (RANGES, [service("LoadBalancer", loadBalancerSourceRanges=["192.0.2.0/24"])], "and has 192.0.2.0/24"),
        (RANGES, [GIVEN, service("LoadBalancer", "admin")], "Service admin must have loadBalancerSourceRanges"),
        (RANGES, [GIVEN, service("NodePort", "admin")], "NodePort"),
        # The second may be a hook that Helm never runs.
        (RANGES, [OPEN, GIVEN], "and has none"),
        (BY_INGRESS, [CLUSTER_IP, ingress("other.example.org"), ingress()], "is for other.example.org"),
        (None, [CLUSTER_IP, OPEN], "is of type ClusterIP"),
        (RANGES, [GIVEN, ingress(name="side")], "leads around the load balancer"),
        (PRIVATE, [OPEN], "load-balancer-type: Internal"),
        (PRIVATE, [service("LoadBalancer", annotations=GCP)], None),
        (PRIVATE, [service("LoadBalancer", annotations=GCP | {"helm.sh/resource-policy": "keep"})], None),
        (PRIVATE, [service("LoadBalancer", annotations=GCP | {"meta.helm.sh/release-name": "shop"})], None),
        (PRIVATE, [service("LoadBalancer", annotations={"networking.gke.io/load-balancer-type": "External"})], "have"),
        # The controllers would then not go by the ranges of the class.
        *[
            (RANGES, [{**GIVEN, "metadata": {"name": "shop", "annotations": {annotation: "x"}}}], annotation)
            for annotation in (
                "service.beta.kubernetes.io/aws-load-balancer-security-groups",
                "service.beta.kubernetes.io/azure-allowed-service-tags",
                "example.org/any",
            )
        ],
        (RANGES, [GIVEN, service("ClusterIP", "side", annotations={"example.org/any": "x"})], None),
        (NAMED, [service("LoadBalancer", annotations={"who": "us"})], None),
        (
            NAMED,
            [service("LoadBalancer", annotations={"who": "us", "more": "x"})],
            "has the annotations more, by which",
        ),
        (NAMED, [service("LoadBalancer", annotations={"who": "us"}, loadBalancerClass="x/y")], "loadBalancerClass x/y"),
        (RANGES, [{**GIVEN, "spec": {**GIVEN["spec"], "loadBalancerClass": None}}], None),
        (None, [service("LoadBalancer", annotations={"any": "x"}, loadBalancerClass="x/y")], None),
        (BY_INGRESS, [CLUSTER_IP, ingress()], None),
        (BY_INGRESS, [OPEN, ingress()], "leads around the Ingress"),
        (BY_INGRESS, [CLUSTER_IP], "must have an Ingress"),
        (BY_INGRESS, [ingress()], "must have a Service"),
        (BY_INGRESS, [CLUSTER_IP, ingress("other.example.org")], "is for other.example.org"),
        (BY_INGRESS, [CLUSTER_IP, ingress(None)], "is for any host"),
        (BY_INGRESS, [CLUSTER_IP, ingress(rules=[{"host": HOST}, None])], "is for any host, shop"),
        (BY_INGRESS, [CLUSTER_IP, ingress(defaultBackend={"service": {}})], "any host"),
        (BY_INGRESS, [CLUSTER_IP, ingress(), ingress("main.example.org", "side")], "Ingress side must be for"),
        (BY_INGRESS, [CLUSTER_IP, ingress(ingressClassName="open")], "is of open"),
        (BY_INGRESS, [CLUSTER_IP, service("ExternalName", "else"), ingress()], "Service else is of type ExternalName"),
        (BY_INGRESS, [CLUSTER_IP, ingress(tls=[{"hosts": ["main.example.org"]}])], "is for main.example.org"),
        (BY_INGRESS, [CLUSTER_IP, annotated(alias="main.example.org")], "has the annotations alias, by which"),
        (BY_INGRESS, [CLUSTER_IP, annotated(**{"helm.sh/resource-policy": "keep"})], None),
        (ANNOTATED, [CLUSTER_IP, annotated(who="us")], None),
        (ANNOTATED, [CLUSTER_IP, ingress()], "must have the annotations who: us"),
        (ANNOTATED, [CLUSTER_IP, annotated(who="us", snippet="x")], "has the annotations snippet, by which"),
        (None, [OPEN], None),
        (None, [OPEN, service("ExternalName", "else")], None),
        (None, [OPEN, ingress("main.example.org")], "leads around the load balancer"),
        (BY_TLS, [CLUSTER_IP, ingress()], "TLS"),
        (BY_TLS, [CLUSTER_IP, ingress(tls=TLS)], None),
    ],
)
def test_a_chart_that_ignores_what_it_is_told_is_refused(
    access: AccessValues | None, documents: list[Any], complaint: str | None
) -> None:
    said = wrong_door("shop", documents, access)
    assert (said is None) if complaint is None else (said is not None and complaint in said)


@pytest.mark.parametrize("told", [RANGES, PRIVATE, BY_INGRESS, BY_TLS])
def test_the_schemas_of_both_charts_take_it(told: AccessValues) -> None:
    for chart in ("charts/app", "deploytag/templates/chart"):
        schema = json.loads((Path(__file__).parents[2] / chart / "values.schema.json").read_text())
        jsonschema.validate(told, schema["properties"]["access"])
