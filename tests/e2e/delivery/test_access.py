"""Who reaches an environment: a load balancer that lets in some, or an Ingress; and what a build may mount."""

import gzip
import hashlib
import json
import socket
import uuid
from typing import Any

import httpx
import pytest
from mypy_boto3_secretsmanager import SecretsManagerClient
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from tests.e2e.program.checkout import Checkout, page
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
    identity = repository.stack("feature/ranges")
    done = repository.up(identity)
    assert done.ok, done.output
    url = repository.outputs(identity)["url"]
    with pytest.raises(httpx.TransportError):
        httpx.get(url, timeout=3)

    here = own_network(url)
    repository.policy(access={"source_ranges": [NOBODY, here]})
    assert repository.changes(identity) == {"shop-release"}
    assert reached(url)["ref"] == "feature/ranges"

    repository.edit("charts/app/templates/web.yaml", "loadBalancerSourceRanges", "externalIPs")
    ignoring = repository.up(identity)
    assert not ignoring.ok
    assert f"must have loadBalancerSourceRanges {here}, {NOBODY}, and has none" in ignoring.output
    assert "Nothing was touched" in ignoring.output


@retry(
    retry=retry_if_exception_type(httpx.TransportError), stop=stop_after_delay(20), wait=wait_fixed(0.2), reraise=True
)
def reached(url: str) -> dict[str, Any]:
    """Nodes learn of a Service's new ranges a moment later."""
    return page(url)


@pytest.mark.sampled(1)
def test_an_ingress_is_the_only_way_in(repository: Checkout) -> None:
    """Its controller is the cluster's; here is none, so what is declared is looked at."""
    ingress = {"class": "public", "host": "*.preview.example.org", "tls": True}
    small(repository, access={"expose": "ingress", "ingress": ingress, "annotations": {"example.org/who": "us"}})
    identity = repository.stack("feature/ingress")
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


def test_a_build_mounts_a_secret_that_no_image_holds(
    repository: Checkout, secrets_manager: SecretsManagerClient
) -> None:
    canary, secret_id = f"canary-build-{uuid.uuid4()}", f"e2e/{uuid.uuid4()}"
    secrets_manager.create_secret(Name=secret_id, SecretString=canary)
    small(repository, build_secrets={"token": secret_id})
    digest = hashlib.sha256(canary.encode()).hexdigest()
    for name in ("Dockerfile.base", "Dockerfile"):
        path = repository.path / name
        user = "USER root\n" if name == "Dockerfile" else ""
        path.write_text(
            f"{path.read_text()}\n{user}RUN --mount=type=secret,id=token,required=true "
            f"echo '{digest}  /run/secrets/token' | sha256sum --check\n"
        )
    identity = repository.stack("feature/buildsecret")
    done = repository.up(identity, "--diff")
    assert canary not in done.output
    assert "shop-images-app" in done.output
    outputs = repository.outputs(identity) if done.ok else {}
    assert "app_image" in outputs, done.output
    # Blobs are compressed: what a machine can pull is looked at as it would unpack it.
    for kind in ("base_image", "app_image"):
        assert canary not in history_and_layers(outputs[kind])
    exported = repository.must("pulumi", "stack", "export", "--stack", identity.stack)
    assert canary not in exported


def history_and_layers(image: str) -> str:
    """The configuration of an image, and every file of its layers, as text."""
    registry, _, reference = image.partition("/")
    name, _, digest = reference.partition("@")
    base = f"http://{registry}/v2/{name.split(':')[0]}"
    accept = {"Accept": "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json"}
    manifest = httpx.get(f"{base}/manifests/{digest}", headers=accept).raise_for_status().json()
    if "manifests" in manifest:
        digest = manifest["manifests"][0]["digest"]
        manifest = httpx.get(f"{base}/manifests/{digest}", headers=accept).raise_for_status().json()
    found = httpx.get(f"{base}/blobs/{manifest['config']['digest']}").raise_for_status().text
    # The last two layers are this application's and its test's; those below are the distribution's.
    for layer in manifest["layers"][-3:]:
        content = httpx.get(f"{base}/blobs/{layer['digest']}", timeout=60).raise_for_status().content
        found += (gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content).decode(errors="replace")
    return found
