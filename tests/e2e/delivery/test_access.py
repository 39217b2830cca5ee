"""Who reaches an environment: a load balancer that lets in some, or an Ingress."""

import json
import socket
from typing import Any

import httpx
import pytest

from tests.e2e.names import own
from tests.e2e.program.checkout import Checkout, page_in_the_end
from tests.e2e.program.inventory import kubectl

pytestmark = pytest.mark.e2e

NOBODY = "203.0.113.0/24"


def own_network(url: str) -> str:
    """This machine, as the sandbox sees it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as it:
        it.connect((httpx.URL(url).host, 80))
        return f"{it.getsockname()[0]}/32"


def small(repository: Checkout, **policy: Any) -> None:
    """A web pod, and nothing else."""
    path = repository.path / "deploytag.yaml"
    off = "{redis: {enabled: false}, worker: {enabled: false}, clean: {enabled: false}}"
    path.write_text(path.read_text().replace("  path: charts/app\n", f"  path: charts/app\n  values: {off}\n"))
    repository.policy(secrets=[], database=False, database_key=None, migrations=False, **policy)


@pytest.mark.sampled(1)
def test_a_load_balancer_lets_in_whom_the_class_names(repository: Checkout) -> None:
    small(repository, access={"source_ranges": [NOBODY]})
    identity = repository.stack(own("feature/ranges"))
    done = repository.up(identity)
    assert done.ok, done.output
    url = repository.outputs(identity)["url"]
    with pytest.raises(httpx.TransportError):
        httpx.get(url, timeout=3)

    here = own_network(url)
    repository.policy(access={"source_ranges": [NOBODY, here]})
    assert repository.changes(identity) == {"shop-release"}
    assert page_in_the_end(url)["ref"] == identity.ref

    repository.edit("charts/app/templates/web.yaml", "with .Values.access.sourceRanges", "with .Values.access.other")
    ignoring = repository.up(identity)
    assert not ignoring.ok
    assert f"must have loadBalancerSourceRanges {here}, {NOBODY}, and has none" in ignoring.output
    assert "Nothing was touched" in ignoring.output


@pytest.mark.sampled(1)
def test_an_ingress_is_the_only_way_in(repository: Checkout) -> None:
    """Its controller is the cluster's; here is none, so what is declared is looked at."""
    ingress = {"class": "public", "host": "*.preview.example.org", "tls": True}
    small(repository, access={"expose": "ingress", "ingress": ingress, "annotations": {"example.org/who": "us"}})
    identity = repository.stack(own("feature/ingress"))
    done = repository.up(identity)
    assert done.ok, done.output
    host = f"{identity.host}.preview.example.org"
    assert repository.outputs(identity)["url"] == f"https://{host}"
    made = json.loads(kubectl("get", "ingress", identity.release, "-n", identity.namespace, "-o", "json"))
    assert made["spec"]["ingressClassName"] == "public"
    assert [rule["host"] for rule in made["spec"]["rules"]] == [host]
    assert made["spec"]["tls"] == [{"hosts": [host]}]
    assert made["metadata"]["annotations"]["example.org/who"] == "us"
    services = json.loads(kubectl("get", "services", "-n", identity.namespace, "-o", "json"))["items"]
    assert {it["spec"]["type"] for it in services} == {"ClusterIP"}
    around = ("service", "nodeport", "around", "--tcp=80", "-n", identity.namespace)
    with pytest.raises(Exception, match="non-zero exit status"):
        kubectl("create", *around)
