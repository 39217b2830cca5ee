"""Two branches side by side, and what it takes to attack the one from a pod of the other."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploytag.delivery.cluster import Cluster
from deploytag.identity import Identity
from tests.e2e.delivery.charts import IMAGE, Namespace
from tests.e2e.delivery.pushing import Pushing
from tests.e2e.typed import core

ATTACKER = (Path(__file__).parent / "attacker.py").read_text()


@dataclass
class World:
    """Two branches of one project, and a namespace that is no environment."""

    pushing: Pushing
    cluster: Cluster
    a: Identity
    b: Identity
    outside: Namespace
    url: dict[str, str]

    def pod(self, identity: Identity, component: str) -> Any:
        """The one pod of a component that runs."""
        selector = (
            f"app.kubernetes.io/component={component}" if component != "redis" else "app.kubernetes.io/name=redis"
        )
        found: list[Any] = (
            core(self.cluster)
            .list_namespaced_pod(identity.namespace, label_selector=selector, field_selector="status.phase=Running")
            .items
        )
        return next(pod for pod in found if not pod.metadata.deletion_timestamp)

    def tried(self, namespace: str, target: str, calls: dict[str, tuple[Any, ...]]) -> dict[str, str]:
        """The outcome of each, from the pod `target`."""
        done = subprocess.run(
            ["kubectl", "exec", "--stdin", "--namespace", namespace, target, "--", "python3", "-", json.dumps(calls)],
            input=ATTACKER,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        outcomes: dict[str, str] = json.loads(done.stdout)
        return outcomes

    def from_a(self, calls: dict[str, tuple[Any, ...]]) -> dict[str, str]:
        return self.tried(self.a.namespace, f"deployment/{self.a.release}-web", calls)

    def from_b(self, calls: dict[str, tuple[Any, ...]]) -> dict[str, str]:
        return self.tried(self.b.namespace, f"deployment/{self.b.release}-web", calls)

    def from_outside(self, calls: dict[str, tuple[Any, ...]]) -> dict[str, str]:
        return self.tried(self.outside.name, "pod/tools", calls)


def pod(
    name: str, container: dict[str, Any] | None = None, labels: dict[str, str] | None = None, **spec: Any
) -> dict[str, Any]:
    """A pod as Pod Security `restricted` wants it, but for what is said otherwise."""
    hardened = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    main = {"name": "main", "image": IMAGE, "command": ["sleep", "infinity"], "securityContext": hardened}
    secure = {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels or {}},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "securityContext": secure,
            "containers": [{**main, **(container or {})}],
            **spec,
        },
    }


def created(space: str, manifest: dict[str, Any], *, dry: bool = False) -> str:
    """Create an object as the administrator of the cluster; why it was refused, or nothing.

    A dry run goes through every admission, and leaves nothing.
    """
    command = ["kubectl", "create", "--namespace", space, "-f", "-", *(["--dry-run=server"] if dry else [])]
    done = subprocess.run(command, input=json.dumps(manifest), capture_output=True, text=True, check=False)
    return done.stderr.strip() if done.returncode else ""
