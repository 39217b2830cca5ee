"""Destroying in a broken world: whatever happened to the branch, its environment goes, and nothing of it is left."""

import contextlib
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from kubernetes.client import RbacAuthorizationV1Api
from kubernetes.client.exceptions import ApiException
from mypy_boto3_secretsmanager import SecretsManagerClient

from deploytag.identity import Identity, identify
from deploytag.ownership import SYSTEM_NAMESPACE
from deploytag.rights import role_binding
from tests.e2e.delivery.everything import exists
from tests.e2e.delivery.seeding import Seeds, git, open_world, remote_of
from tests.e2e.names import own
from tests.e2e.program.checkout import PROJECT, Checkout, Finished
from tests.e2e.program.inventory import kubectl
from tests.e2e.rights import WRAPPER
from tests.e2e.typed import core
from tests.schemas import fits

pytestmark = pytest.mark.e2e
LONG = pytest.mark.sampled(3)

CLAIM = """
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}
"""
STATIC = {"storageClassName": "", "accessModes": ["ReadWriteOnce"]}


@pytest.fixture
def branch(request: pytest.FixtureRequest) -> str:
    """A branch of this test alone."""
    return own("feature/rm" + "".join(filter(str.isalnum, request.node.name.removeprefix("test_")))[-14:])


@pytest.fixture
def shop(repository: Checkout, tmp_path: Path, branch: str) -> Checkout:
    """The sample application, with a remote that has the branch."""
    remote_of(repository.path, tmp_path / "remote.git", branch)
    return repository


@pytest.fixture
def seeds(shop: Checkout, branch: str) -> Iterator[Seeds]:
    """Takes away afterwards whatever a failed test leaves of the branch."""
    it = Seeds(open_world(PROJECT, shop.path))
    try:
        yield it
    finally:
        it.clear(identify(PROJECT, branch))


def destroyed(shop: Checkout, *arguments: str) -> Finished:
    return shop.run("deploytag", "destroy", *arguments)


# --- obstacles --------------------------------------------------------------------------------------------------------

Obstacle = Callable[[Checkout, Identity, contextlib.ExitStack], None]


def nothing_of_the_branch_is_left(shop: Checkout, identity: Identity, _: contextlib.ExitStack) -> None:
    """Neither the branch, nor a program that loads, nor valid settings."""
    git(shop.path, "push", "--quiet", "sandbox", f":refs/heads/{identity.ref}")
    (shop.path / "__main__.py").write_text("this is no Python\n")
    (shop.path / "deploytag.yaml").write_text("images: [")


def sessions_are_open(_: Checkout, identity: Identity, cleanup: contextlib.ExitStack) -> None:
    """One in a transaction, which would keep a plain DROP DATABASE waiting for ever."""
    connection = cleanup.enter_context(contextlib.closing(psycopg.connect(dbname=identity.database)))
    connection.execute("SELECT 1")


def the_namespace_is_gone(_: Checkout, identity: Identity, __: contextlib.ExitStack) -> None:
    kubectl("delete", "namespace", identity.namespace)


def the_release_is_gone(_: Checkout, identity: Identity, __: contextlib.ExitStack) -> None:
    command = ["helm", "uninstall", identity.release, "--namespace", identity.namespace, "--wait"]
    subprocess.run(command, check=True, capture_output=True)


def the_state_is_lost(shop: Checkout, identity: Identity, __: contextlib.ExitStack) -> None:
    for path in Seeds(open_world(PROJECT, shop.path)).stack_file(identity).parent.glob(f"{identity.stack}.json*"):
        path.unlink()


def the_state_knows_no_database(shop: Checkout, identity: Identity, _: contextlib.ExitStack) -> None:
    """As after a first deployment that was killed while its role was made. What the state knows goes, and among that
    is what proves whose the database is."""
    path = Seeds(open_world(PROJECT, shop.path)).stack_file(identity)
    document = json.loads(path.read_text())
    latest = document["checkpoint"]["latest"]
    gone = {it["urn"] for it in latest["resources"] if it["type"].startswith("postgresql:")}
    latest["resources"] = [it for it in latest["resources"] if it["urn"] not in gone]
    for it in latest["resources"]:
        needs = it.get("propertyDependencies") or {}
        it["propertyDependencies"] = {key: [urn for urn in urns if urn not in gone] for key, urns in needs.items()}
        it["dependencies"] = [urn for urn in it.get("dependencies") or () if urn not in gone]
    path.write_text(json.dumps(document))


def its_volume_would_be_kept(_: Checkout, identity: Identity, __: contextlib.ExitStack) -> None:
    """As where the class of volumes says so."""
    claim = json.loads(kubectl("get", "persistentvolumeclaim", "data", "-n", identity.namespace, "-o", "json"))
    kept = '{"spec": {"persistentVolumeReclaimPolicy": "Retain"}}'
    kubectl("patch", "persistentvolume", claim["spec"]["volumeName"], "-p", kept)


def the_database_is_gone(_: Checkout, identity: Identity, __: contextlib.ExitStack) -> None:
    with psycopg.connect(autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {identity.database} WITH (FORCE)".encode())


@pytest.mark.parametrize(
    "obstacle",
    [
        nothing_of_the_branch_is_left,
        *(
            pytest.param(it, marks=LONG)
            for it in (
                sessions_are_open,
                the_namespace_is_gone,
                the_release_is_gone,
                the_state_is_lost,
                the_database_is_gone,
                the_state_knows_no_database,
                its_volume_would_be_kept,
            )
        ),
    ],
)
def test_an_environment_goes_whatever_is_in_the_way(
    shop: Checkout, seeds: Seeds, secrets_manager: SecretsManagerClient, branch: str, obstacle: Obstacle
) -> None:
    secret = f"e2e/{identify(PROJECT, branch).stack}"
    secrets_manager.create_secret(Name=secret, SecretString=json.dumps({"API_TOKEN": "t"}))
    shop.policy(secrets=[secret])
    (shop.path / "charts" / "app" / "templates" / "claim.yaml").write_text(CLAIM)
    shop.must("git", "add", "--all")
    before = exists(identify(PROJECT, branch), seeds.world)
    identity = shop.stack(branch)
    made = shop.up(identity)
    assert made.ok, made.output
    there = exists(identity, seeds.world)
    for kind in ("namespace/", "load balancer ", "persistentvolume/pvc-", "database ", "role ", "state file "):
        assert any(it.startswith(kind) for it in there), kind
    # Nothing reads it any more.
    secrets_manager.delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)
    with contextlib.ExitStack() as cleanup:
        obstacle(shop, identity, cleanup)
        done = destroyed(shop, branch)
    assert done.code == 0, done.output
    assert f"{branch} is gone" in done.output
    assert exists(identity, seeds.world) == before == set()
    assert (tombstone := seeds.world.records.tombstone(identity)) is not None
    assert (tombstone.tip is None) == (obstacle is nothing_of_the_branch_is_left)
    shop.stacks.remove(identity.stack)

    again = destroyed(shop, branch)
    assert again.code == 0, again.output
    assert "gone already" in again.output


@LONG
@pytest.mark.parametrize(
    "settings",
    [
        {"search_path": "trap, pg_catalog", "statement_timeout": "1", "default_transaction_read_only": "on"},
        {"role": "its own", "search_path": "trap, pg_catalog"},
    ],
)
def test_a_database_cannot_make_its_administrator_act_for_it(
    shop: Checkout, seeds: Seeds, branch: str, settings: dict[str, str]
) -> None:
    """Its owner decides how sessions in it begin: with which names found first, for how long, as whom."""
    shop.policy(secrets=[])
    identity = shop.stack(branch)
    made = shop.up(identity)
    assert made.ok, made.output
    spy = f"{identity.role}_spy"
    trap = f"""
        SET ROLE {identity.role};
        CREATE SCHEMA trap;
        GRANT USAGE ON SCHEMA trap TO PUBLIC;
        CREATE FUNCTION trap.spring() RETURNS boolean LANGUAGE plpgsql AS
            $$ BEGIN CREATE ROLE {spy}; RETURN true; EXCEPTION WHEN OTHERS THEN RETURN true; END $$;
        CREATE VIEW trap.pg_database AS SELECT * FROM pg_catalog.pg_database WHERE trap.spring();
        GRANT SELECT ON trap.pg_database TO PUBLIC;
    """
    for name, value in settings.items():
        trap += f"ALTER DATABASE {identity.database} SET {name} = {identity.role if name == 'role' else value};"
    with psycopg.connect(dbname=identity.database) as connection:
        connection.execute(trap.encode())
    done = destroyed(shop, branch)
    shop.stacks.remove(identity.stack)
    with psycopg.connect(autocommit=True) as connection:
        found = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [spy]).fetchone()
        connection.execute(f"DROP ROLE IF EXISTS {spy}".encode())
    assert found is None, "the administrator made a role because the database's owner wanted one"
    assert done.code == 0, done.output
    assert exists(identity, seeds.world) == set()


# --- without a program ------------------------------------------------------------------------------------------------


@LONG
def test_a_finalizer_is_named_and_everything_else_is_gone(shop: Checkout, seeds: Seeds, branch: str) -> None:
    identity = identify(PROJECT, branch)
    seeds.namespace(identity, finalizer="example.com/held")
    seeds.ledger(identity)
    seeds.database(identity)
    seeds.state(identity)
    done = destroyed(shop, branch)
    assert done.code == 13, done.output
    # The right to see which object it is went with the namespace's RoleBinding.
    assert "example.com/held" in done.output
    assert exists(identity, seeds.world) == {f"namespace/{identity.namespace}"}
    seeds.release_held(identity)
    assert destroyed(shop, branch).code == 0
    assert exists(identity, seeds.world) == set()


def test_a_database_on_another_server_is_not_said_to_be_gone(shop: Checkout, seeds: Seeds, branch: str) -> None:
    """As when gc's job has another PGHOST than the one that deployed: what proves whose it is has to stay."""
    identity = identify(PROJECT, branch)
    seeds.namespace(identity)
    seeds.ledger(identity, "other.test:5432")
    seeds.state(identity)
    done = destroyed(shop, branch)
    assert done.code == 13, done.output
    assert "is on other.test:5432, and PGHOST names" in done.output
    entry = ("configmap", identity.namespace, "--namespace", SYSTEM_NAMESPACE)
    assert exists(identity, seeds.world) == {f"configmap/{identity.namespace}"}
    # As the sentence has it for a server that is no more.
    kubectl("delete", *entry)
    assert destroyed(shop, branch).code == 0


@LONG
def test_what_is_not_provably_ours_is_named_and_left_alone(shop: Checkout, seeds: Seeds, branch: str) -> None:
    identity = identify(PROJECT, branch)
    kubectl("create", "namespace", identity.namespace)
    seeds.database(identity)  # which no ledger names
    seeds.state(identity)
    done = destroyed(shop, branch)
    assert done.code == 13, done.output
    assert "cannot be proven" in done.output
    assert exists(identity, seeds.world) == {
        f"namespace/{identity.namespace}",
        f"database {identity.database}",
        f"role {identity.role}",
    }


@LONG
def test_a_volume_that_would_stay_goes_too(shop: Checkout, seeds: Seeds, branch: str) -> None:
    identity = identify(PROJECT, branch)
    typed, name = core(seeds.cluster), identity.namespace
    volume: Any = {
        "metadata": {"name": name},
        "spec": {
            **STATIC,
            "capacity": {"storage": "1Mi"},
            "persistentVolumeReclaimPolicy": "Retain",
            "hostPath": {"path": "/nowhere"},
        },
    }
    claim: Any = {
        "metadata": {"name": "data"},
        "spec": {**STATIC, "volumeName": name, "resources": {"requests": {"storage": "1Mi"}}},
    }
    seeds.namespace(identity)
    # Whose claims may be deleted, their volumes may be: the right is in the namespace.
    binding: Any = role_binding(identity, [WRAPPER])
    RbacAuthorizationV1Api(seeds.cluster.api.client).create_namespaced_role_binding(name, binding)
    try:
        typed.create_persistent_volume(volume)
        typed.create_namespaced_persistent_volume_claim(name, claim)
        command = ["kubectl", "wait", "--for=jsonpath={.status.phase}=Bound", f"pv/{name}", "--timeout=60s"]
        subprocess.run(command, check=True, capture_output=True)
        done = destroyed(shop, branch)
        assert done.code == 0, done.output
        assert exists(identity, seeds.world) == set()
    finally:
        with contextlib.suppress(ApiException):
            typed.delete_persistent_volume(name)


@LONG
def test_copies_of_the_state_of_a_removed_stack_go_too(shop: Checkout, seeds: Seeds, branch: str) -> None:
    identity = identify(PROJECT, branch)
    seeds.removed_stack(identity)
    files = exists(identity, seeds.world)
    assert {Path(it).parts[0] for it in files} == {"state file backups", "state file stacks"}
    would = destroyed(shop, branch, "--dry-run", "--json")
    [row] = json.loads(would.output[would.output.index("{") :])["would_remove"]
    assert (row["kind"], row["name"], row["ours"]) == ("backup of a state", identity.stack, True)
    done = destroyed(shop, branch)
    assert done.code == 0, done.output
    assert exists(identity, seeds.world) == set()


@LONG
def test_a_copy_that_is_all_that_knows_of_something_is_named_and_stays(
    shop: Checkout, seeds: Seeds, branch: str
) -> None:
    identity = identify(PROJECT, branch)
    kind = "aws:s3/bucket:Bucket"
    urn = f"urn:pulumi:{identity.stack}::{PROJECT}::{kind}::uploads"
    seeds.removed_stack(identity, {"urn": urn, "type": kind, "custom": True, "id": "uploads"})
    files = exists(identity, seeds.world)
    done = destroyed(shop, branch)
    assert done.code == 13, done.output
    assert "it is all that knows of Bucket uploads" in done.output
    assert exists(identity, seeds.world) == files


@LONG
def test_what_is_protected_needs_its_name_typed_again(shop: Checkout, seeds: Seeds, branch: str) -> None:
    identity = identify(PROJECT, branch)
    shop.policy(protected=True, ttl=None)
    seeds.namespace(identity)
    seeds.state(identity)
    before = exists(identity, seeds.world)
    refused = destroyed(shop, branch)
    assert refused.code == 14, refused.output
    assert "protected" in refused.output
    for arguments in (["--force"], ["--force", "--confirm", "feature/other"]):
        unconfirmed = destroyed(shop, branch, *arguments)
        assert unconfirmed.code == 2, unconfirmed.output
    assert exists(identity, seeds.world) == before
    assert kubectl("get", "configmaps", "-n", SYSTEM_NAMESPACE, "-o", "name").count(f"{identity.namespace}.tomb") == 0
    forced = destroyed(shop, branch, "--force", "--confirm", branch)
    assert forced.code == 0, forced.output
    assert exists(identity, seeds.world) == set()


@LONG
def test_a_dry_run_prints_what_would_go_and_touches_nothing(shop: Checkout, seeds: Seeds, branch: str) -> None:
    identity = identify(PROJECT, branch)
    seeds.namespace(identity)
    seeds.state(identity)
    before = exists(identity, seeds.world)
    done = destroyed(shop, branch, "--dry-run", "--json")
    assert done.code == 0, done.output
    document = json.loads(done.output[done.output.index("{") :])
    fits("destroy", document)
    kinds = [(row["kind"], row["ours"]) for row in document["would_remove"]]
    assert kinds == [("namespace", True), ("stack", True)]
    assert exists(identity, seeds.world) == before
