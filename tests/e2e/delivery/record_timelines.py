"""Records what a cluster says while each of the charts is installed, for the unit tests to replay.

python -m tests.e2e.delivery.record_timelines [CASE ...]
"""

import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deploytag.api import lines
from deploytag.delivery.cluster import Cluster
from deploytag.delivery.diagnosis.informer import Kind
from deploytag.delivery.diagnosis.watch import KINDS
from deploytag.preflight.cluster import connect
from deploytag.preflight.endpoints import kubeconfig_path
from tests.e2e.delivery.charts import BROKEN, CRASH, HEALTHY, Namespace, deployment, namespace

FOLDER = Path(__file__).parents[2] / "unit" / "delivery" / "timelines"
SECONDS = 45
# What no decision looks at, and what would say where this was recorded.
DROPPED = {"managedFields", "resourceVersion", "selfLink", "generateName", "hostIP", "hostIPs", "podIP", "podIPs"}
DROPPED |= {"tolerations", "volumes", "volumeMounts", "template", "selector", "strategy", "containerID", "imageID"}
DROPPED |= {"securityContext", "serviceAccount", "serviceAccountName", "terminationMessagePath", "env", "envFrom"}
DROPPED |= {"blockOwnerDeletion", "lastProbeTime", "qosClass", "restartPolicy", "resources", "reportingComponent"}
DROPPED |= {"terminationMessagePolicy", "imagePullPolicy", "reportingInstance", "command", "user", "nodeName"}


def two_runs(first: list[dict[str, Any]], second: list[dict[str, Any]]) -> Callable[[Namespace], None]:
    """Install the one, and when it has been broken for a while let a run begin that installs the other."""

    def act(space: Namespace) -> None:
        running = space.helm(first, timeout=25)
        running.wait()
        (space.folder / "run").touch()
        time.sleep(3)
        space.helm(second, timeout=40).wait()

    return act


PRIVILEGED = deployment(kind="StatefulSet", securityContext={"privileged": True})
RESTRICTED = {
    "runAsNonRoot": True,
    "runAsUser": 1000,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
RUNS = {
    "mended": two_runs([CRASH], [deployment()]),
    "broken-still": two_runs([CRASH], [CRASH]),
    "broken-anew": two_runs([deployment()], [CRASH]),
    "stateful-mended": two_runs([PRIVILEGED], [deployment(kind="StatefulSet", securityContext=RESTRICTED)]),
}


def record(cluster: Cluster, case: str) -> None:
    """Write the timeline of one case."""
    told: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder, namespace(Path(folder)) as space:
        space.guard("pod-security" if case == "stateful-mended" else case)
        for kind in KINDS:
            threading.Thread(target=_listen, args=(cluster, space.name, kind, told), daemon=True).start()
        if case in RUNS:
            watching = threading.Thread(target=RUNS[case], args=(space,), daemon=True)
            watching.start()
            while watching.is_alive():
                if (space.folder / "run").exists() and not any("run" in line for line in told):
                    told.append({"at": _now(), "run": True})
                watching.join(0.1)
            time.sleep(3)
        else:
            until = time.monotonic() + (SECONDS if case in BROKEN else 0)
            space.helm((BROKEN | HEALTHY)[case], timeout=SECONDS).wait()
            # What Helm takes for done may break afterwards.
            time.sleep(max(5.0, until - time.monotonic()))
    FOLDER.mkdir(exist_ok=True)
    text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in told)
    (FOLDER / f"{case}.jsonl").write_text(text.replace(space.name, "shop-feature-test"))


def _listen(cluster: Cluster, name: str, kind: Kind, told: list[dict[str, Any]]) -> None:
    watched = cluster.api.watch(
        kind.resource,
        name,
        version="0",
        seconds=150,
        timeout=(5, 160),
        labels=kind.labels,
        metadata_only=kind.metadata_only,
    )
    for line in lines(watched):
        change = json.loads(line)
        told.append({"at": _now(), "of": kind.field, "type": change["type"], "object": _trimmed(change["object"])})


def _trimmed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _trimmed(it) for key, it in value.items() if key not in DROPPED and it not in ({}, [], None)}
    return [_trimmed(it) for it in value] if isinstance(value, list) else value


def _now() -> str:
    return datetime.now(UTC).isoformat()


if __name__ == "__main__":
    api, _ = connect(kubeconfig_path(os.environ))
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda case: record(Cluster(api), case), sys.argv[1:] or [*BROKEN, *HEALTHY, *RUNS]))
