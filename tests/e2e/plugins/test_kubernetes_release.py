"""Helm releases through the real engine: hooks, values, history, failure and removal."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.plugins.conftest import kubectl
from tests.e2e.plugins.engine import Engine, eventually

pytestmark = [pytest.mark.e2e, pytest.mark.sampled(2)]

CANARY = "canary-8b2e07"

PROGRAM = """
import pulumi, pulumi_kubernetes as k8s
release = k8s.helm.v3.Release("demo", **{arguments!r},
    values={{**{values!r}, "password": pulumi.Output.secret("{canary}")}})
pulumi.export("status", release.status)
pulumi.export("names", release.resource_names)
"""

MAIN = """
apiVersion: v1
kind: ConfigMap
metadata: {name: "{{ .Release.Name }}-main"}
data: {word: {{ .Values.word | quote }}, password: {{ .Values.password | b64enc | quote }}}
"""
HOOK = """
apiVersion: v1
kind: ConfigMap
metadata:
  name: "{{ .Release.Name }}-hook"
  annotations: {"helm.sh/hook": "pre-install,pre-upgrade", "helm.sh/hook-delete-policy": before-hook-creation}
data: {revision: {{ .Release.Revision | quote }}}
"""
# A pod that never becomes ready, and an object that only failing upgrades bring.
BROKEN = """
{{ if .Values.replicas }}
apiVersion: apps/v1
kind: Deployment
metadata: {name: "{{ .Release.Name }}-broken"}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: broken}}
  template:
    metadata: {labels: {app: broken}}
    spec: {containers: [{name: main, image: "registry.invalid/none:1"}]}
{{ end }}
"""
SUBCHART = """
apiVersion: v1
kind: ConfigMap
metadata: {name: "{{ .Release.Name }}-dependency"}
"""


@pytest.fixture
def chart(engine: Engine) -> str:
    """A chart with a hook and a dependency, in the program's directory; its path is relative, as it should be."""
    root = engine.directory / "chart"
    _write(root, "demo", {"main.yaml": MAIN, "hook.yaml": HOOK, "broken.yaml": BROKEN}, dependencies=["dependency"])
    _write(root / "charts" / "dependency", "dependency", {"map.yaml": SUBCHART})
    return "chart"


def _write(root: Path, name: str, templates: dict[str, str], dependencies: list[str] | None = None) -> None:
    (root / "templates").mkdir(parents=True)
    document: dict[str, Any] = {"apiVersion": "v2", "name": name, "version": "0.1.0", "appVersion": "7"}
    if dependencies:
        document["dependencies"] = [{"name": each, "version": "0.1.0"} for each in dependencies]
    (root / "Chart.yaml").write_text(yaml.safe_dump(document))
    for file, text in templates.items():
        (root / "templates" / file).write_text(text)


@dataclass(frozen=True)
class Demo:
    """The program that declares the release; calling it changes some of its arguments."""

    engine: Engine
    arguments: dict[str, object]

    def __call__(self, *, word: str = "hello", replicas: int = 0, **changed: object) -> Engine:
        values = {"word": word, "replicas": replicas}
        arguments = {**self.arguments, **changed}
        self.engine.program(PROGRAM.format(arguments=arguments, values=values, canary=CANARY))
        return self.engine


@pytest.fixture
def demo(engine: Engine, chart: str, namespace: str) -> Demo:
    return Demo(engine, {"chart": chart, "name": "demo", "namespace": namespace, "timeout": 60})


def _helm(*arguments: str) -> str:
    done = subprocess.run(["helm", *arguments], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _history(namespace: str) -> list[tuple[int, str]]:
    entries = json.loads(_helm("history", "demo", "-n", namespace, "-o", "json"))
    return [(entry["revision"], entry["description"]) for entry in entries]


def _data(namespace: str, name: str) -> dict[str, str]:
    data: dict[str, str] = json.loads(kubectl("get", "configmap", name, "-n", namespace, "-o", "json"))["data"]
    return data


def test_the_life_of_a_release(demo: Demo, namespace: str) -> None:
    engine = demo(description="first", max_history=2)
    preview = engine.preview()
    assert preview.ok, preview.output
    assert "helm.sh/release.v1" not in kubectl("get", "secrets", "-n", namespace, "-o", "yaml")

    created = engine.up()
    assert created.ok, created.output
    outputs = engine.outputs()
    assert outputs["status"]["status"] == "deployed"
    assert (outputs["status"]["revision"], outputs["status"]["version"]) == (1, "0.1.0")
    assert outputs["names"]["ConfigMap/v1"] == ["demo-dependency", "demo-main"]
    assert engine.resources()["demo"]["id"] == f"{namespace}/demo"
    assert _data(namespace, "demo-hook") == {"revision": "1"}
    for text in (created.output, engine.export()):
        assert CANARY not in text

    again = engine.up()
    assert again.changes == {"unchanged": 2}, again.output

    # A changed description and a changed value are each a difference, and upgrade in place.
    assert demo(description="second", max_history=2).up().changes == {"updated": 1, "unchanged": 1}
    assert _history(namespace) == [(1, "first"), (2, "second")]
    assert demo(word="moin", description="second", max_history=2).up().changes == {"updated": 1, "unchanged": 1}
    assert _data(namespace, "demo-main")["word"] == "moin"
    assert _data(namespace, "demo-hook") == {"revision": "3"}
    assert _history(namespace) == [(2, "second"), (3, "second")]

    # Removed behind its back: destroy fails until a refresh has seen it.
    _helm("uninstall", "demo", "-n", namespace)
    missing = engine.destroy()
    assert not missing.ok
    assert "not found" in missing.output
    refreshed = engine.refresh()
    assert refreshed.ok, refreshed.output
    assert "demo" not in engine.resources()


def test_name_and_namespace_replace_and_destroy_uninstalls(demo: Demo, namespace: str) -> None:
    assert demo().up().ok
    replaced = demo(name="other").up()
    assert replaced.ok, replaced.output
    assert replaced.changes == {"replaced": 1, "unchanged": 1}
    assert [each["name"] for each in json.loads(_helm("list", "-n", namespace, "-o", "json"))] == ["other"]
    planned = demo(name="other", namespace="default").preview()
    assert planned.changes == {"replace": 1, "unchanged": 1}
    destroyed = demo.engine.destroy()
    assert destroyed.ok, destroyed.output
    assert json.loads(_helm("list", "--all", "-n", namespace, "-o", "json")) == []
    assert "other-main" not in kubectl("get", "configmaps", "-n", namespace, "-o", "name")


def test_a_failed_install_is_recorded_and_upgraded_by_the_next_up(demo: Demo, namespace: str) -> None:
    engine = demo(replicas=1, timeout=3, cleanup_on_fail=True)
    failed = engine.up()
    assert not failed.ok
    assert CANARY not in failed.output
    assert engine.resources()["demo"]["id"] == f"{namespace}/demo"
    assert engine.resources()["demo"]["outputs"]["status"]["status"] == "failed"
    repaired = demo(timeout=3, cleanup_on_fail=True).up()
    assert repaired.ok, repaired.output
    assert engine.outputs()["status"]["revision"] == 2
    assert engine.outputs()["status"]["status"] == "deployed"

    # `cleanup_on_fail`: an upgrade that fails takes away what it brought.
    assert not demo(replicas=1, timeout=3, cleanup_on_fail=True).up().ok
    assert "demo-broken" not in kubectl("get", "deployments", "-n", namespace, "-o", "name")


def test_a_chart_that_is_not_there_is_refused_before_anything_happens(demo: Demo) -> None:
    preview = demo(chart="./nowhere").preview()
    assert not preview.ok
    assert "nowhere" in preview.output


def test_cancel_ends_helm_in_order(demo: Demo, namespace: str) -> None:
    engine = demo(replicas=1, timeout=300)
    with engine.start("up", "--yes", "--skip-preview", "--stack", "test") as running:
        eventually(lambda: "demo-broken" in kubectl("get", "deployments", "-n", namespace, "-o", "name"))
        running.interrupt()
        result = running.wait(limit=20)
    assert not result.ok
    # `pending-install` would block every later attempt; a failed release is upgraded by the next one.
    status = json.loads(_helm("status", "demo", "-n", namespace, "-o", "json"))["info"]["status"]
    assert status == "failed"
    repaired = demo().up()
    assert repaired.ok, repaired.output
