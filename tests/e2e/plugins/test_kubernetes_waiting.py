"""What the plugin waits for: rollouts, load balancer addresses; and how it stops: cancelled, unreachable, orphaned."""

from pathlib import Path

import psutil
import pytest

from tests.e2e.plugins.conftest import kubectl
from tests.e2e.plugins.engine import Engine, eventually
from tests.e2e.plugins.plugin_set import offline_only

pytestmark = [pytest.mark.e2e, pytest.mark.sampled(2)]

IMAGE = "debian:bookworm-slim"


def test_a_load_balancer_address_is_awaited(engine: Engine, namespace: str) -> None:
    # Without a selector the endpoints are ours to write; the official plugin waits for them too.
    engine.program(f"""
import pulumi, pulumi_kubernetes as k8s
where = {{"namespace": "{namespace}", "name": "web"}}
subset = {{"addresses": [{{"ip": "198.51.100.7"}}], "ports": [{{"port": 80}}]}}
k8s.core.v1.Endpoints("ends", metadata=where, subsets=[subset])
service = k8s.core.v1.Service("web", metadata=where, spec={{"type": "LoadBalancer", "ports": [{{"port": 80}}]}})
pulumi.export("address", service.status.load_balancer.ingress[0].ip)
""")
    result = engine.up()
    assert result.ok, result.output
    shown = kubectl("get", "service", "web", "-n", namespace, "-o", "jsonpath={.status.loadBalancer.ingress[0].ip}")
    assert engine.outputs() == {"address": shown}
    assert shown


def _deployment(namespace: str, image: str) -> str:
    return f"""
import pulumi, pulumi_kubernetes as k8s
labels = {{"app": "rollout"}}
k8s.apps.v1.Deployment("rollout", metadata={{"namespace": "{namespace}", "name": "rollout"}}, spec={{
    "replicas": 1, "selector": {{"matchLabels": labels}},
    "template": {{"metadata": {{"labels": labels}}, "spec": {{"terminationGracePeriodSeconds": 0, "containers": [
        {{"name": "main", "image": "{image}", "command": ["sleep", "infinity"]}}]}}}}}},
    opts=pulumi.ResourceOptions(custom_timeouts=pulumi.CustomTimeouts(create="8s", update="60s")))
"""


def test_a_rollout_is_awaited_and_a_failed_one_is_repaired_by_the_next_up(engine: Engine, namespace: str) -> None:
    engine.program(_deployment(namespace, "registry.invalid/none:1"))
    failed = engine.up()
    assert not failed.ok
    # It exists, so it is in the state, and the next up changes it instead of creating it again.
    assert engine.resources()["rollout"]["id"] == f"{namespace}/rollout"
    assert engine.resources()["rollout"]["initErrors"]
    engine.program(_deployment(namespace, IMAGE))
    repaired = engine.up()
    assert repaired.ok, repaired.output
    assert repaired.changes == {"updated": 1, "unchanged": 1}
    ready = kubectl("get", "deployment", "rollout", "-n", namespace, "-o", "jsonpath={.status.availableReplicas}")
    assert ready == "1"


def test_an_unreachable_cluster_is_said_quickly(engine: Engine, tmp_path: Path, namespace: str) -> None:
    # Port 9 of the loopback address: nobody listens there.
    config = kubectl("config", "view", "--raw", "--minify", "--flatten")
    server = next(line for line in config.splitlines() if "server:" in line)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text(config.replace(server, "    server: https://127.0.0.1:9"))
    engine.environment["KUBECONFIG"] = str(elsewhere)
    engine.program(
        f"import pulumi_kubernetes as k8s\nk8s.core.v1.ConfigMap('x', metadata={{'namespace': '{namespace}'}})\n"
    )
    result = engine.up()
    assert not result.ok
    assert "configured Kubernetes cluster is unreachable" in result.output
    assert result.seconds < 20


def test_cancel_stops_quickly_and_keeps_what_exists(engine: Engine, namespace: str) -> None:
    engine.program(_deployment(namespace, "registry.invalid/none:1").replace('create="8s"', 'create="300s"'))
    with engine.start("up", "--yes", "--skip-preview", "--stack", "test") as running:
        eventually(lambda: "rollout" in kubectl("get", "deployment", "-n", namespace, "-o", "name"))
        running.interrupt()
        result = running.wait(limit=20)
    assert not result.ok
    assert engine.resources()["rollout"]["id"] == f"{namespace}/rollout"


@offline_only("kubernetes")  # A Go plugin asks after its engine every five minutes; a run ends it with its own cgroup.
def test_the_plugin_ends_when_the_engine_is_killed(engine: Engine, namespace: str) -> None:
    engine.program(_deployment(namespace, "registry.invalid/none:1").replace('create="8s"', 'create="300s"'))
    with engine.start("up", "--yes", "--skip-preview", "--stack", "test") as running:
        eventually(lambda: "rollout" in kubectl("get", "deployment", "-n", namespace, "-o", "name"))
        family = psutil.Process(running.child.pid).children(recursive=True)
        plugins = [process for process in family if "pulumi-resource-kubernetes" in " ".join(process.cmdline())]
        assert plugins
        running.child.kill()
        eventually(lambda: not any(process.is_running() and process.status() != "zombie" for process in plugins), 15)
    engine.pulumi("cancel", "--yes", "--stack", "test")
    # The create was never finished, so the state knows only that it was begun.
    kubectl("delete", "deployment", "rollout", "-n", namespace)
    engine.must("refresh", "--yes", "--skip-preview", "--clear-pending-creates", "--stack", "test")
