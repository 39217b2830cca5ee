"""`deploytag ls` with many environments: real namespaces, records and state, no pods.

    eval "$(make -s env)"; python -m bench.fleet [NUMBER]

makes them in a project of its own, times `ls` three times, and removes them.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from deploytag.api import NAMESPACES
from deploytag.delivery.cluster import Cluster
from deploytag.delivery.record import Attempt, Deployed, Outcome, Record
from deploytag.delivery.records import Records
from deploytag.delivery.run import Action
from deploytag.identity import Identity, identify
from deploytag.ownership import annotations, labels
from deploytag.preflight.cluster import connect
from deploytag.preflight.endpoints import kubeconfig_path

PROJECT = "benchfleet"
RUNS = 3
TIMEOUT = 30
STATE = {
    "version": 3,
    "checkpoint": {"latest": {"manifest": {"time": "2026-01-01T00:00:00Z", "magic": "", "version": ""}}},
}
POLICY = """\
cluster: {{server: "{server}"}}
classes:
  feature: {{pattern: feature/*, secrets: [], database: false, migrations: false}}
"""


def main(number: int) -> None:
    """Make them, time `ls`, remove them."""
    # Makes namespaces without what is in them: an administrator's work.
    api, _ = connect(os.environ.get("SANDBOX_ADMIN_KUBECONFIG") or kubeconfig_path(os.environ))
    cluster = Cluster(api)
    identities = [identify(PROJECT, f"feature/number-{index}") for index in range(number)]
    try:
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda it: _make(cluster, it), identities))
        with tempfile.TemporaryDirectory() as folder:
            _report(_times(Path(folder), cluster), number)
    finally:
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda it: _remove(cluster, it), identities))


def _make(cluster: Cluster, identity: Identity) -> None:
    metadata = {"name": identity.namespace, "labels": labels(identity), "annotations": annotations(identity)}
    cluster.api.create(NAMESPACES, {"metadata": metadata}, timeout=TIMEOUT)
    now = datetime.now(UTC)
    record = Record(
        project=identity.project,
        ref=identity.ref,
        stack=identity.stack,
        namespace=identity.namespace,
        environment_class="feature",
        pushed=now,
        deployed=Deployed(revision="0" * 40, fingerprint="f", url="http://203.0.113.1", images=(), verified=now),
        attempt=Attempt(run="bench", action=Action.DEPLOY, revision="0" * 40, started=now, outcome=Outcome.SUCCEEDED),
    )
    Records(cluster).update(identity, lambda _: record)
    path = _state(identity)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(STATE))


def _remove(cluster: Cluster, identity: Identity) -> None:
    cluster.api.delete(NAMESPACES, identity.namespace, timeout=TIMEOUT)
    Records(cluster).delete(identity)
    _state(identity).unlink(missing_ok=True)


def _state(identity: Identity) -> Path:
    folder = Path(urlsplit(os.environ["PULUMI_BACKEND_URL"]).path)
    return folder / ".pulumi" / "stacks" / identity.project / f"{identity.stack}.json"


def _times(folder: Path, cluster: Cluster) -> list[float]:
    checkout, policy = folder / "checkout", folder / "policy.yaml"
    subprocess.run(["git", "init", "--quiet", str(checkout)], check=True)
    (checkout / "Pulumi.yaml").write_text(f"name: {PROJECT}\nruntime: python\n")
    policy.write_text(POLICY.format(server=cluster.api.host))
    environ = {**os.environ, "DEPLOYTAG_POLICY": str(policy)}
    seconds = []
    for _ in range(RUNS):
        began = time.monotonic()
        done = subprocess.run(["deploytag", "ls", "--json"], cwd=checkout, env=environ, check=True, capture_output=True)
        seconds.append(time.monotonic() - began)
        if not json.loads(done.stdout):
            raise SystemExit("ls shows none of them")
    return seconds


def _report(seconds: list[float], number: int) -> None:
    print(f"ls with {number} environments: " + ", ".join(f"{it:.2f} s" for it in seconds))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
