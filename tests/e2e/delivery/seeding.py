"""Worlds for destroying and collecting: a checkout with a remote of its own, environments seeded without a program."""

import json
import os
import shutil
import subprocess
import sys
import time
import uuid
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

from deploytag.administrator import Administrator
from deploytag.delivery.cluster import Cluster
from deploytag.delivery.lifetime import TOMBSTONE_AGE
from deploytag.delivery.progress import Progress
from deploytag.delivery.record import Record, Tombstone
from deploytag.delivery.records import Records
from deploytag.delivery.world import World
from deploytag.identity import Identity
from deploytag.ownership import SYSTEM_NAMESPACE, annotations, labels, ledger_annotations, ledger_entry
from deploytag.preflight.cluster import connect
from deploytag.trust import in_force
from tests.e2e.program.checkout import sandbox_environ
from tests.e2e.typed import coordination, core

DEAD = "dead"
"""The run that left what is seeded."""


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

    def hold_entries(self, identity: Identity, finalizer: str) -> None:
        """Let what there is in DeployTag's own namespace never go."""
        self._finalizers(identity, [finalizer])

    def release_held(self, identity: Identity) -> None:
        """Let go what cannot."""
        freed = {"metadata": {"finalizers": None}}
        with suppress(ApiException):
            core(self.cluster).patch_namespaced_config_map("held", identity.namespace, freed)
        with suppress(ApiException):
            core(self.cluster).patch_persistent_volume(identity.namespace, freed)
        self._finalizers(identity, None)
        if self._has(identity.database):
            self._template(identity, "false")
        self._lock(identity).unlink(missing_ok=True)

    def _finalizers(self, identity: Identity, finalizers: list[str] | None) -> None:
        body: Any = {"metadata": {"finalizers": finalizers}}
        for entry in _entries(identity):
            with suppress(ApiException):
                core(self.cluster).patch_namespaced_config_map(entry, SYSTEM_NAMESPACE, body)

    def _has(self, database: str) -> bool:
        with psycopg.connect(autocommit=True) as connection:
            found = connection.execute("SELECT FROM pg_database WHERE datname = %s", [database])
            return found.fetchone() is not None

    def ledger(self, identity: Identity, server: str | None = None) -> None:
        """The ledger's entry, of a database on `server`; None: on the sandbox's."""
        administrator = Administrator.from_environ(os.environ)
        body: Any = {
            "metadata": {
                "name": identity.namespace,
                "labels": labels(identity),
                "annotations": ledger_annotations(identity, server or administrator.server),
            },
            "data": ledger_entry(identity),
        }
        core(self.cluster).create_namespaced_config_map(SYSTEM_NAMESPACE, body)

    def role(self, identity: Identity) -> None:
        """The role, as the administrator makes it."""
        self._sql("CREATE ROLE {} LOGIN", identity.role)

    def database(self, identity: Identity, name: str | None = None) -> None:
        """The database with its owner, which the administrator is a member of no longer; of another name, if given."""
        self.role(identity)
        self._sql("GRANT {} TO CURRENT_USER", identity.role)
        with psycopg.connect(autocommit=True) as connection:
            statement = sql.SQL("CREATE DATABASE {} OWNER {}")
            names = map(sql.Identifier, (name or identity.database, identity.role))
            connection.execute(statement.format(*names))
        self._sql("REVOKE {} FROM CURRENT_USER", identity.role)

    def template(self, identity: Identity) -> None:
        """Let its database be a template, which nobody can drop."""
        self._template(identity, "true")

    def _template(self, identity: Identity, value: str) -> None:
        self._sql("GRANT {} TO CURRENT_USER", identity.role)
        self._sql(f"ALTER DATABASE {{}} IS_TEMPLATE {value}", identity.database)
        self._sql("REVOKE {} FROM CURRENT_USER", identity.role)

    def lock(self, identity: Identity) -> None:
        """The lock of a person who works on the stack, elsewhere and now."""
        held = {"pid": 1, "username": "ada", "hostname": "elsewhere", "timestamp": datetime.now(UTC).isoformat()}
        self._lock(identity).parent.mkdir(parents=True, exist_ok=True)
        self._lock(identity).write_text(json.dumps(held))

    def foreign_database(self, identity: Identity) -> str:
        """Not the environment's by its name, while its role owns it: so the role cannot go."""
        return f"{identity.database}_foreign"

    def drop_foreign_database(self, identity: Identity) -> None:
        """Take it away."""
        with suppress(psycopg.Error):  # the role is not there
            self._sql("GRANT {} TO CURRENT_USER", identity.role)
        self._sql("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.foreign_database(identity))

    def lease(self, identity: Identity) -> None:
        """A lease that a run of long ago never gave back."""
        ago = (datetime.now(UTC) - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        body: Any = {
            "metadata": {"name": identity.namespace, "labels": labels(identity), "annotations": annotations(identity)},
            "spec": {"holderIdentity": DEAD, "leaseDurationSeconds": 30, "acquireTime": ago, "renewTime": ago},
        }
        coordination(self.cluster).create_namespaced_lease(SYSTEM_NAMESPACE, body)

    def record(self, identity: Identity) -> None:
        """A record that nothing is left of but itself."""
        record = Record(
            project=identity.project,
            ref=identity.ref,
            stack=identity.stack,
            namespace=identity.namespace,
            pushed=datetime.now(UTC),
        )
        Records(self.cluster).update(identity, lambda _: record)

    def tombstone(self, identity: Identity) -> None:
        """A tombstone that no deployment can be late for any more."""
        destroyed = datetime.now(UTC) - TOMBSTONE_AGE - timedelta(hours=1)
        tombstone = Tombstone(project=identity.project, ref=identity.ref, tip=None, destroyed=destroyed, run=DEAD)
        Records(self.cluster).bury(identity, tombstone)

    def volume(self, identity: Identity, *, finalizer: str | None = None) -> None:
        """A volume that stayed when its claim went, marked as the environment's; with a finalizer it never goes."""
        claim = {"namespace": identity.namespace, "name": "data", "uid": str(uuid.uuid4())}
        body: Any = {
            "metadata": {
                "name": identity.namespace,
                "annotations": annotations(identity),
                "finalizers": [finalizer] if finalizer else [],
            },
            "spec": {
                "storageClassName": "",
                "accessModes": ["ReadWriteOnce"],
                "capacity": {"storage": "1Mi"},
                "persistentVolumeReclaimPolicy": "Retain",
                "hostPath": {"path": "/nowhere"},
                "claimRef": claim,
            },
        }
        core(self.cluster).create_persistent_volume(body)

    def state(self, identity: Identity, *resources: Mapping[str, Any], deployed: bool = True) -> None:
        """A stack whose state names its branch, and holds these; not `deployed`: everything was destroyed."""
        urn = (
            f"urn:pulumi:{identity.stack}::{identity.project}::pulumi:pulumi:Stack::{identity.project}-{identity.stack}"
        )
        stack = {"urn": urn, "custom": False, "type": "pulumi:pulumi:Stack", "outputs": {"ref": identity.ref}}
        manifest = {"time": datetime.now(UTC).isoformat(), "magic": "", "version": ""}
        latest = {"manifest": manifest, "resources": [stack, *resources] if deployed else [], "metadata": {}}
        name = f"organization/{identity.project}/{identity.stack}"
        path = self.stack_file(identity)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"version": 3, "checkpoint": {"stack": name, "latest": latest}}))

    def removed_stack(self, identity: Identity, *resources: Mapping[str, Any]) -> None:
        """What Pulumi leaves of a stack that was removed: with these in it, or else after everything was destroyed."""
        self.state(identity, *resources)
        copies = self._copies(identity)[0]
        copies.mkdir(parents=True)
        shutil.copy(self.stack_file(identity), copies / f"{identity.stack}.{time.time_ns()}.json")
        if not resources:
            self.state(identity, deployed=False)
        command = ["pulumi", "stack", "rm", "--yes", "--force", "--stack", identity.stack]
        subprocess.run(command, cwd=self.world.repository, env=self.world.environ, check=True, capture_output=True)

    def _copies(self, identity: Identity) -> list[Path]:
        root = self.stack_file(identity).parents[2]
        return [root / kind / identity.project / identity.stack for kind in ("backups", "history")]

    def stack_file(self, identity: Identity) -> Path:
        """Where the backend keeps the stack."""
        backend = Path(self.world.environ["PULUMI_BACKEND_URL"].removeprefix("file://"))
        return backend / ".pulumi" / "stacks" / identity.project / f"{identity.stack}.json"

    def _lock(self, identity: Identity) -> Path:
        root = self.stack_file(identity).parents[2]
        return root / "locks" / "organization" / identity.project / identity.stack / "11111111.json"

    def clear(self, identity: Identity) -> None:
        """Whatever is there of the identity's names, gone: also what the product could or should not remove."""
        typed, name = core(self.cluster), identity.namespace
        self.release_held(identity)
        with suppress(ApiException):
            typed.delete_namespace(name)
        for entry in _entries(identity):
            with suppress(ApiException):
                typed.delete_namespaced_config_map(entry, SYSTEM_NAMESPACE)
        with suppress(ApiException):
            coordination(self.cluster).delete_namespaced_lease(name, SYSTEM_NAMESPACE)
        with suppress(ApiException):
            typed.delete_persistent_volume(name)
        self.drop_foreign_database(identity)
        self._sql("DROP DATABASE IF EXISTS {} WITH (FORCE)", identity.database)
        self._sql("DROP ROLE IF EXISTS {}", identity.role)
        for path in self.stack_file(identity).parent.glob(f"{identity.stack}.json*"):
            path.unlink()
        for folder in self._copies(identity):
            shutil.rmtree(folder, ignore_errors=True)

    def _sql(self, statement: str, name: str) -> None:
        with psycopg.connect(autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(sql.Identifier(name)))


def _entries(identity: Identity) -> tuple[str, ...]:
    """The ConfigMaps of an environment in DeployTag's own namespace."""
    return tuple(f"{identity.namespace}{ending}" for ending in ("", ".tombstone", ".record"))
