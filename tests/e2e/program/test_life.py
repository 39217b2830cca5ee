"""The life of an environment: made, unchanged, changed in every way, and gone."""

import json
import uuid

import httpx
import pytest
from mypy_boto3_secretsmanager import SecretsManagerClient

from tests.e2e.names import own
from tests.e2e.program.checkout import Checkout, page_in_the_end
from tests.e2e.program.inventory import databases_like, kubectl

pytestmark = pytest.mark.e2e

OUTPUTS = {
    "url",
    "namespace",
    "release",
    "database",
    "base_image",
    "app_image",
    "env_secret",
    "secret_versions",
    "ref",
    "revision",
}


def test_the_life_of_an_environment(repository: Checkout, secrets_manager: SecretsManagerClient) -> None:
    secret_id = f"e2e/{uuid.uuid4()}"
    secrets_manager.create_secret(Name=secret_id, SecretString=json.dumps({"API_TOKEN": "first"}))
    repository.policy(secrets=[secret_id])
    identity = repository.stack(own("feature/life"))
    commit = repository.must("git", "rev-parse", "HEAD").strip()
    # Edited from the start, so that the revision the pods are told is the same with every edit below.
    (repository.path / "README.md").write_text("edited\n")

    # made
    created = repository.up(identity)
    assert created.ok, created.output
    outputs = repository.outputs(identity)
    assert set(outputs) == OUTPUTS
    assert outputs["ref"] == identity.ref
    assert outputs["namespace"] == identity.namespace
    shown = page_in_the_end(outputs["url"])
    assert (shown["ref"], shown["revision"]) == (identity.ref, f"{commit}-dirty")
    assert set(shown["variables"]) >= {"API_TOKEN", "DATABASE_URL", "REDIS_URL"}
    assert shown["migration"]

    # unchanged
    assert repository.changes(identity) == set()
    repository.must("pulumi", "preview", "--expect-no-changes", "--stack", identity.stack)

    # a test of the application, which .dockerignore leaves out
    (repository.path / "app" / "tests" / "test_settings.py").write_text("# nothing is tested any more\n")
    assert repository.changes(identity) == set()

    # a template
    repository.edit(
        "charts/app/templates/web.yaml",
        "kind: Deployment\nmetadata:\n",
        "kind: Deployment\nmetadata:\n  annotations: {e2e: edited}\n",
    )
    assert repository.changes(identity) == {"shop-release"}
    assert "edited" in kubectl("get", "deployment", "-n", identity.namespace, "-o", "yaml")

    # a file of a subchart, without a new version
    repository.edit("charts/redis/templates/service.yaml", "metadata:\n", "metadata:\n  annotations: {e2e: subchart}\n")
    assert repository.changes(identity) == {"shop-release"}
    assert "subchart" in kubectl("get", "service", "-n", identity.namespace, "-o", "yaml")

    # a Python file
    repository.edit("app/web.py", '"ref"', '"edited": True, "ref"')
    assert repository.changes(identity) == {"shop-images-app", "shop-release"}
    page_in_the_end(outputs["url"], lambda shown: shown.get("edited") is True)
    after_app = repository.outputs(identity)
    assert after_app["base_image"] == outputs["base_image"]
    assert after_app["app_image"] != outputs["app_image"]

    # Dockerfile.base
    path = repository.path / "Dockerfile.base"
    path.write_text(path.read_text() + "\nENV E2E_BASE=edited\n")
    assert repository.changes(identity) == {"shop-images-base", "shop-images-app", "shop-release"}
    after_base = repository.outputs(identity)
    assert after_base["base_image"] != outputs["base_image"]
    page_in_the_end(outputs["url"], lambda shown: "E2E_BASE" in shown["variables"])

    # a rotated secret
    secrets_manager.put_secret_value(
        SecretId=secret_id, SecretString=json.dumps({"API_TOKEN": "b", "SESSION_KEY": "c"})
    )
    assert repository.changes(identity) == {"shop-variables", "shop-release"}
    page_in_the_end(outputs["url"], lambda shown: "SESSION_KEY" in shown["variables"])
    assert repository.outputs(identity)["secret_versions"][secret_id] != outputs["secret_versions"][secret_id]
    assert repository.changes(identity) == set()

    # gone, but for the images, which other branches may run
    repository.must("pulumi", "destroy", "--yes", "--skip-preview", "--stack", identity.stack)
    assert identity.namespace not in kubectl("get", "namespaces", "-o", "name")
    assert identity.namespace not in kubectl("get", "configmaps", "-n", "deploytag-system", "-o", "name")
    assert databases_like(identity) == []
    registry, _, reference = after_base["app_image"].partition("/")
    name, _, digest = reference.partition("@")
    answer = httpx.head(
        f"http://{registry}/v2/{name.split(':')[0]}/manifests/{digest}",
        headers={"Accept": "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json"},
    )
    assert answer.status_code == 200
