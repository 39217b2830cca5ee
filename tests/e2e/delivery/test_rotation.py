"""A new version in Secrets Manager reaches the pods by `deploytag sync`, and nothing is ever changed under one name."""

import base64
import json
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from kubernetes import watch
from mypy_boto3_secretsmanager import SecretsManagerClient

from deploytag.delivery.cluster import Cluster
from deploytag.identity import Identity
from tests.e2e.delivery.pushing import Pushing, pushing
from tests.e2e.names import own
from tests.e2e.program.checkout import page
from tests.e2e.typed import core

pytestmark = pytest.mark.e2e


@pytest.fixture
def it(tmp_path: Path) -> Iterator[Pushing]:
    with pushing(tmp_path) as made:
        yield made


def secret(client: SecretsManagerClient, value: object) -> str:
    name = f"e2e/{uuid.uuid4()}"
    client.create_secret(Name=name, SecretString=value if isinstance(value, str) else json.dumps(value))
    return name


def env_secrets(cluster: Cluster, identity: Identity) -> dict[str, dict[str, str]]:
    """The environment's own Secrets: their variables by name."""
    typed = core(cluster)
    found = typed.list_namespaced_secret(identity.namespace, field_selector="type=Opaque").items
    assert all(it.immutable for it in found)
    return {it.metadata.name: {key: base64.b64decode(value).decode() for key, value in it.data.items()} for it in found}


def pods(cluster: Cluster, identity: Identity) -> dict[str, tuple[str, datetime | None, bool]]:
    """Of each web pod: the Secret it reads, since when it is ready, and whether it is to end."""
    found = {}
    typed = core(cluster)
    for pod in typed.list_namespaced_pod(identity.namespace).items:
        reads = [it.secret_ref.name for it in pod.spec.containers[0].env_from or [] if it.secret_ref]
        ready = [it for it in pod.status.conditions or [] if it.type == "Ready" and it.status == "True"]
        if reads and pod.metadata.owner_references[0].kind == "ReplicaSet":
            since = ready[0].last_transition_time if ready else None
            found[pod.metadata.name] = (reads[0], since, pod.metadata.deletion_timestamp is not None)
    return found


class Deletion:
    """Notes which pods still served with a Secret at the moment it was deleted."""

    def __init__(self, cluster: Cluster, identity: Identity, name: str) -> None:
        self.cluster, self.identity, self.name = cluster, identity, name
        self.readers: list[str] | None = None
        typed = core(cluster)
        self.since = typed.list_namespaced_secret(identity.namespace).metadata.resource_version
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()

    def _watch(self) -> None:
        watcher: Any = watch.Watch
        listing = core(self.cluster).list_namespaced_secret
        for event in watcher().stream(
            listing, self.identity.namespace, resource_version=self.since, timeout_seconds=240
        ):
            if event["type"] == "DELETED" and event["object"].metadata.name == self.name:
                readers = pods(self.cluster, self.identity).items()
                self.readers = [pod for pod, (reads, _, ending) in readers if reads == self.name and not ending]
                return


@pytest.mark.sampled(1)
def test_a_new_version_reaches_the_pods_and_the_old_secret_goes_after_them(
    it: Pushing, cluster: Cluster, secrets_manager: SecretsManagerClient, record_property: Any
) -> None:
    common = secret(secrets_manager, {"MAIL_HOST": "mail.test", "MAIL_PASSWORD": "common", "GONE": "x"})
    rds = secret(secrets_manager, {"username": "u", "password": "of-the-app"})
    app = secret(secrets_manager, {"GONE": None, "FEATURES": {"search": True}})
    it.small(
        secrets=[common, {"id": rds, "keys": {"password": "MAIL_PASSWORD"}}, app],
        database=False,
        migrations=False,
        database_key=None,
    )
    ref = own("feature/rotation")
    identity = it.identity(ref)
    deployed = it.push(ref)
    url = it.report("deploy")["url"]
    ((before, variables),) = env_secrets(cluster, identity).items()
    assert variables == {"MAIL_HOST": "mail.test", "MAIL_PASSWORD": "of-the-app", "FEATURES": '{"search":true}'}

    # Nothing moved: nothing is written.
    typed = core(cluster)
    versions = typed.read_namespaced_secret(before, identity.namespace).metadata.resource_version
    assert it.report("sync", ref)["outcome"] == "unchanged"
    assert it.report("sync", ref, "--dry-run")["plan"] == "unchanged"
    assert typed.read_namespaced_secret(before, identity.namespace).metadata.resource_version == versions

    # The branch's tip is another commit, which is not what sync is for.
    it.checkout.edit("app/web.py", '"ref"', '"edited": True, "ref"')
    it.push(ref)
    deletion = Deletion(cluster, identity, before)
    secrets_manager.put_secret_value(SecretId=rds, SecretString=json.dumps({"username": "u", "password": "rotated"}))
    began, clock = time.time(), time.monotonic()
    assert it.report("sync", ref, "--dry-run") == {"plan": "sync", "ref": ref, "reason": f"{rds} moved"}
    report = it.report("sync", ref)
    ended = time.monotonic() - clock
    assert (report["action"], report["outcome"], report["revision"]) == ("sync", "synced", deployed)
    ((after, variables),) = env_secrets(cluster, identity).items()
    assert after != before
    assert variables["MAIL_PASSWORD"] == "rotated"
    assert {reads for reads, _, ending in pods(cluster, identity).values() if not ending} == {after}
    shown = page(url)
    assert (shown["secret"], shown["revision"], "edited" in shown) == (after, deployed, False)
    deletion.thread.join(30)
    assert deletion.readers == []
    (ready,) = [since for reads, since, ending in pods(cluster, identity).values() if since and not ending]
    seconds = {"pod ready": round(ready.timestamp() - began, 1), "sync ended": round(ended, 1)}
    record_property("seconds", seconds)
    print(f"from the new version: {seconds}")

    # What sleeps is left asleep, and wakes with the newest.
    it.report("sleep", ref)
    secrets_manager.put_secret_value(SecretId=rds, SecretString=json.dumps({"username": "u", "password": "asleep"}))
    skipped = it.report("sync", ref)
    assert (skipped["outcome"], "sleeps" in skipped["reason"]) == ("skipped", True)
    assert list(env_secrets(cluster, identity)) == [after]
    it.report("wake", ref)
    assert [it["MAIL_PASSWORD"] for it in env_secrets(cluster, identity).values()] == ["asleep"]
    assert it.report("sync", ref)["outcome"] == "unchanged"
    assert {"plan": "unchanged", "ref": ref} in [
        {name: plan[name] for name in ("plan", "ref")} for plan in json.loads(every_plan(it))
    ]


def every_plan(it: Pushing) -> str:
    done = it.checkout.run("sh", "-c", "deploytag sync --all --dry-run --json 2>/dev/null")
    assert done.ok, done.output
    return done.output


@pytest.mark.sampled(1)
def test_a_rotated_key_changes_the_roles_password_and_the_pods_together(
    it: Pushing, cluster: Cluster, secrets_manager: SecretsManagerClient
) -> None:
    key = secret(secrets_manager, "first-key")
    it.small(secrets=[], database_key=key)
    ref = own("feature/keyrotation")
    identity = it.identity(ref)
    it.push(ref)
    url = it.report("deploy")["url"]
    ((before, variables),) = env_secrets(cluster, identity).items()
    old = variables["DATABASE_URL"]
    reaches(old)
    secrets_manager.put_secret_value(SecretId=key, SecretString="second-key")
    assert it.report("sync", ref)["reason"] == f"{key} moved"
    ((after, variables),) = env_secrets(cluster, identity).items()
    assert (after != before, variables["DATABASE_URL"] != old) == (True, True)
    reaches(variables["DATABASE_URL"])
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        reaches(old)
    assert httpx.get(f"{url}/healthz", timeout=10).status_code == 200
    assert page(url)["secret"] == after


def reaches(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("SELECT 1")


def test_what_a_class_lacks_is_said_before_tests_and_build(it: Pushing, secrets_manager: SecretsManagerClient) -> None:
    app = secret(secrets_manager, {"A": "1"})
    it.small(secrets=[app], database=False, migrations=False, database_key=None)
    it.checkout.edit("deploytag.yaml", "tests: null", "tests: {command: [touch, tests-ran]}")
    it.checkout.edit("deploytag.yaml", "  redis: REDIS_URL", "  redis: REDIS_URL\n  required: [A, STRIPE_KEY]")
    ref = own("feature/required")
    it.push(ref)
    done = it.deploytag("deploy")
    assert done.code == 7
    assert "the application needs STRIPE_KEY (`variables.required` in deploytag.yaml)" in done.output
    assert f"no secret of its class sets that: {app}" in done.output
    assert not (it.path / "tests-ran").exists()
    stack = it.identity(ref).stack
    it.checkout.must("pulumi", "stack", "select", "--create", stack)
    preview = it.checkout.run("pulumi", "up", "--yes", "--skip-preview", "--stack", stack)
    assert "the application needs STRIPE_KEY" in preview.output
    assert "Image" not in preview.output
    secrets_manager.put_secret_value(SecretId=app, SecretString=json.dumps({"A": "1", "STRIPE_KEY": "2"}))
    assert it.report("deploy", "--dry-run")["plan"] == "deploy"
