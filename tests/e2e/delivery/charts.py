"""Tiny charts, most of them broken in one way each, and Helm to install them."""

import json
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploytag.rights import BINDING, ENVIRONMENT_ROLE
from tests.e2e.rights import WRAPPER

IMAGE = "debian:bookworm-slim"
SLEEP = ["sh", "-c", "trap 'exit 0' TERM; sleep infinity & wait"]
FAILING = {"exec": {"command": ["sh", "-c", "echo not today; exit 1"]}}


def deployment(name: str = "app", kind: str = "Deployment", volumes: Any = (), **container: Any) -> dict[str, Any]:
    """A workload of one pod that sleeps, with whatever makes it fail."""
    labels = {"app": name}
    spec: dict[str, Any] = {
        "replicas": 1,
        "selector": {"matchLabels": labels},
        "template": {
            "metadata": {"labels": labels},
            "spec": {
                "terminationGracePeriodSeconds": 1,
                "containers": [{"name": "main", "image": IMAGE, "command": SLEEP, **container}],
                "volumes": list(volumes),
            },
        },
    }
    if kind == "StatefulSet":
        spec["serviceName"] = name
    else:
        spec["strategy"] = {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def hook(command: str) -> dict[str, Any]:
    """A migration, as the sample chart has it."""
    container = {"name": "migrate", "image": IMAGE, "command": ["sh", "-c", command]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": "migrate",
            "annotations": {
                "helm.sh/hook": "pre-install,pre-upgrade",
                "helm.sh/hook-delete-policy": "before-hook-creation",
            },
        },
        "spec": {"backoffLimit": 0, "template": {"spec": {"restartPolicy": "Never", "containers": [container]}}},
    }


FILES = {"name": "files", "emptyDir": {}}
IN_FILES: dict[str, Any] = {"volumeMounts": [{"name": "files", "mountPath": "/files"}], "volumes": [FILES]}
# As a program does whose database starts a moment later than it.
ENDS_ONCE = ["sh", "-c", "test -f /files/again || { touch /files/again; exit 1; }; sleep infinity"]
CRASH = deployment(command=["sh", "-c", "echo cannot find module app; exit 1"])

BROKEN: dict[str, list[dict[str, Any]]] = {
    "crash": [CRASH],
    "slow-crash": [deployment(command=["sh", "-c", "sleep 12; echo no database; exit 1"])],
    "no-program": [deployment(command=["/no/such/program"])],
    "startup-probe": [deployment(startupProbe={**FAILING, "periodSeconds": 1, "failureThreshold": 3})],
    "liveness-probe": [deployment(livenessProbe={**FAILING, "periodSeconds": 1, "failureThreshold": 2})],
    "readiness-probe": [deployment(readinessProbe=FAILING)],
    "image": [deployment(image="debian:no-such-tag")],
    "image-name": [deployment(image="debian:UPPER:x")],
    "registry": [deployment(image="registry.invalid/app:1")],
    "resources": [deployment(resources={"requests": {"cpu": "64"}})],
    "config": [deployment(envFrom=[{"secretRef": {"name": "nowhere"}}])],
    "mount": [
        deployment(
            volumeMounts=[{"name": "files", "mountPath": "/files"}],
            volumes=[{"name": "files", "secret": {"secretName": "nowhere"}}],
        )
    ],
    "hook": [hook("echo relation orders exists already; exit 3"), deployment()],
    "quota": [deployment(resources={"limits": {"cpu": "10m"}})],
    "pod-security": [deployment(securityContext={"privileged": True})],
    "stateful": [deployment(kind="StatefulSet", securityContext={"privileged": True})],
}
"""What never comes right, by the kind of its trouble."""

HEALTHY: dict[str, list[dict[str, Any]]] = {
    "slow-start": [
        deployment(
            command=["sh", "-c", "sleep 10; touch /tmp/up; trap 'exit 0' TERM; sleep infinity & wait"],
            startupProbe={"exec": {"command": ["test", "-f", "/tmp/up"]}, "periodSeconds": 1, "failureThreshold": 30},
            readinessProbe={"exec": {"command": ["test", "-f", "/tmp/up"]}, "periodSeconds": 1},
        )
    ],
    "ends-once": [deployment(command=ENDS_ONCE, **IN_FILES)],
    "migrated": [hook("echo migrated"), deployment(readinessProbe={"exec": {"command": ["true"]}, "periodSeconds": 1})],
}
"""What comes right if it is waited for."""


@dataclass(frozen=True)
class Namespace:
    """A namespace of a test's own."""

    name: str
    folder: Path

    def kubectl(self, *arguments: str) -> str:
        done = subprocess.run(
            ["kubectl", "--namespace", self.name, *arguments], capture_output=True, text=True, check=True
        )
        return done.stdout

    def guard(self, case: str) -> None:
        """What a case needs in the namespace before its chart."""
        if case == "quota":
            self.kubectl("create", "quota", "small", "--hard=pods=0")
        if case in {"pod-security", "stateful"}:
            self.kubectl("label", "namespace", self.name, "pod-security.kubernetes.io/enforce=restricted")

    def helm(self, manifests: list[dict[str, Any]], *, timeout: int = 90) -> "subprocess.Popen[str]":
        """Start installing or upgrading the release `app` to these manifests, as the program does: it waits."""
        chart = self.folder / uuid.uuid4().hex
        (chart / "templates").mkdir(parents=True)
        (chart / "Chart.yaml").write_text("apiVersion: v2\nname: app\nversion: 0.1.0\n")
        (chart / "templates" / "all.yaml").write_text("\n---\n".join(map(json.dumps, manifests)))
        return subprocess.Popen(
            ["helm", "upgrade", "--install", "app", str(chart), "-n", self.name, "--wait", f"--timeout={timeout}s"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


@contextmanager
def namespace(folder: Path, name: str | None = None) -> Iterator[Namespace]:
    """One that goes away with everything in it."""
    it = Namespace(name or f"e2e-{uuid.uuid4().hex[:10]}", folder)
    subprocess.run(["kubectl", "create", "namespace", it.name], check=True, capture_output=True)
    # As the program does it: what is tested may then look into it.
    it.kubectl("create", "rolebinding", BINDING, f"--clusterrole={ENVIRONMENT_ROLE}", f"--user={WRAPPER.name}")
    try:
        yield it
    finally:
        subprocess.run(
            ["kubectl", "delete", "namespace", it.name, "--wait=false", "--ignore-not-found"],
            check=True,
            capture_output=True,
        )
