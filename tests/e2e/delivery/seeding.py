"""Worlds for destroying and collecting: a checkout with a remote of its own, environments seeded without a program."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import yaml
from kubernetes.client.exceptions import ApiException
from psycopg import sql

from deploytag.delivery.cluster import Cluster
from deploytag.delivery.progress import Progress
from deploytag.delivery.world import World
from deploytag.identity import Identity
from deploytag.ownership import SYSTEM_NAMESPACE, annotations, labels, ledger_entry
from deploytag.preflight.cluster import connect
from deploytag.trust import in_force
from tests.e2e.program.checkout import sandbox_environ
from tests.e2e.typed import coordination, core


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=e2e", "-c", "user.email=e2e@example.com", *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


def remote_of(checkout: Path, bare: Path, *refs: str) -> None:
    """A remote `sandbox` of the checkout, with `main` and these branches."""
    git(checkout, "init", "--quiet", "--bare", "--initial-branch", "main", str(bare))
    git(checkout, "remote", "add", "sandbox", str(bare))
    git(checkout, "config", "deploytag.remote", "sandbox")
    git(checkout, "push", "--quiet", "sandbox", *(f"HEAD:refs/heads/{ref}" for ref in ("main", *refs)))


def repository(folder: Path, policy: Mapping[str, Any]) -> Path:
    """A checkout of nothing but a policy."""
    checkout = folder / "checkout"
    checkout.mkdir()
    (checkout / "deploytag.policy.yaml").write_text(yaml.safe_dump(dict(policy)))
    git(checkout, "init", "--quiet", "--initial-branch", "main")
    git(checkout, "add", "--all")
    git(checkout, "commit", "--quiet", "-m", "start")
    return checkout


def open_world(project: str, checkout: Path) -> World:
    """The sandbox, as this checkout's policy sees it."""
    environ = sandbox_environ()
    outside = checkout.with_name(f"{checkout.name}.policy.yaml")
    if outside.exists():
        environ["DEPLOYTAG_POLICY"] = str(outside)
    return World.open(project, checkout, in_force(checkout, environ), environ, Progress(sys.stderr))


@dataclass(frozen=True)
class Seeds:
    """Makes what an environment consists of, each thing by itself, and takes it away again whatever happens."""

    world: World

    @property
    def cluster(self) -> Cluster:
        """The sandbox's, as its administrator: what is seeded has no need of the wrapper's rights."""
        return Cluster(connect(os.environ["KUBECONFIG"])[0])

    def namespace(self, identity: Identity, *, finalizer: str | None = None) -> None:
        """A namespace without pods; with a finalizer on something in it, it never ends."""
        metadata = {"name": identity.namespace, "labels": labels(identity), "annotations": annotations(identity)}
        body: Any = {"metadata": metadata}
        core(self.cluster).create_namespace(body)
        if finalizer:
            held: Any = {"metadata": {"name": "held", "finalizers": [finalizer]}}
            core(self.cluster).create_namespaced_config_map(identity.namespace, held)

    def release_held(self, identity: Identity) -> None:
        """Take the finalizer off."""
        with suppress(ApiException):
            core(self.cluster).patch_namespaced_config_map(
                "held", identity.namespace, {"metadata": {"finalizers": None}}
            )

    def ledger(self, identity: Identity) -> None:
        """The ledger's entry."""
        body: Any = {
            "metadata": {"name": identity.namespace, "labels": labels(identity), "annotations": annotations(identity)},
            "data": ledger_entry(identity),
        }
        core(self.cluster).create_namespaced_config_map(SYSTEM_NAMESPACE, body)

    def role(self, identity: Identity) -> None:
        """The role, as the administrator makes it."""
        self._sql("CREATE ROLE {} LOGIN", identity.role)

    def database(self, identity: Identity) -> None:
        """The database with its owner, which the administrator is a member of no longer."""
        self.role(identity)
        self._sql("GRANT {} TO CURRENT_USER", identity.role)
        with psycopg.connect(autocommit=True) as connection:
            statement = sql.SQL("CREATE DATABASE {} OWNER {}")
            connection.execute(statement.format(sql.Identifier(identity.database), sql.Identifier(identity.role)))
        self._sql("REVOKE {} FROM CURRENT_USER", identity.role)

    def lease(self, identity: Identity) -> None:
        """A lease that a run of long ago never gave back."""
        ago = (datetime.now(UTC) - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        body: Any = {
            "metadata": {"name": identity.namespace, "labels": labels(identity), "annotations": annotations(identity)},
            "spec": {"holderIdentity": "dead", "leaseDurationSeconds": 30, "acquireTime": ago, "renewTime": ago},
        }
        coordination(self.cluster).create_namespaced_lease(SYSTEM_NAMESPACE, body)

    def state(self, identity: Identity) -> None:
        """A stack whose state names its branch and holds nothing."""
        urn = (
            f"urn:pulumi:{identity.stack}::{identity.project}::pulumi:pulumi:Stack::{identity.project}-{identity.stack}"
        )
        stack = {"urn": urn, "custom": False, "type": "pulumi:pulumi:Stack", "outputs": {"ref": identity.ref}}
        manifest = {"time": datetime.now(UTC).isoformat(), "magic": "", "version": ""}
        latest = {"manifest": manifest, "resources": [stack], "metadata": {}}
        name = f"organization/{identity.project}/{identity.stack}"
        path = self.stack_file(identity)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"version": 3, "checkpoint": {"stack": name, "latest": latest}}))

    def stack_file(self, identity: Identity) -> Path:
        """Where the backend keeps the stack."""
        backend = Path(self.world.environ["PULUMI_BACKEND_URL"].removeprefix("file://"))
        return backend / ".pulumi" / "stacks" / identity.project / f"{identity.stack}.json"

    def clear(self, identity: Identity) -> None:
        """Whatever is there of the identity's names, gone: also what the product could or should not remove."""
        typed, name = core(self.cluster), identity.namespace
        self.release_held(identity)
        with suppress(ApiException):
            typed.delete_namespace(name)
        for entry in (name, f"{name}.tombstone", f"{name}.record"):
            with suppress(ApiException):
                typed.delete_namespaced_config_map(entry, SYSTEM_NAMESPACE)
        with suppress(ApiException):
            coordination(self.cluster).delete_namespaced_lease(name, SYSTEM_NAMESPACE)
        with suppress(psycopg.Error):
            self._sql("GRANT {} TO CURRENT_USER", identity.role)
        self._sql("DROP DATABASE IF EXISTS {} WITH (FORCE)", identity.database)
        self._sql("DROP ROLE IF EXISTS {}", identity.role)
        for path in self.stack_file(identity).parent.glob(f"{identity.stack}.json*"):
            path.unlink()

    def _sql(self, statement: str, name: str) -> None:
        with psycopg.connect(autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(sql.Identifier(name)))


def exists(identity: Identity, world: World) -> set[str]:
    """What exists of the identity's names, asked with a person's tools: not with those that are tested."""
    kubectl = ["kubectl", "get", "namespaces,persistentvolumes", "-o", "name"]
    listed = subprocess.run(kubectl, check=True, capture_output=True, text=True).stdout.split()
    kubectl = ["kubectl", "get", "configmaps,leases", "-n", SYSTEM_NAMESPACE, "-o", "name"]
    listed += subprocess.run(kubectl, check=True, capture_output=True, text=True).stdout.split()
    found = {line for line in listed if line.split("/")[1].removesuffix(".record") == identity.namespace}
    with psycopg.connect() as connection:
        query = "SELECT 'database ' || datname FROM pg_database UNION ALL SELECT 'role ' || rolname FROM pg_roles"
        found |= {name for (name,) in connection.execute(query) if name.split()[1] == identity.database}
    if Seeds(world).stack_file(identity).exists():
        found.add(f"stack {identity.stack}")
    return found
