"""Helm releases through the real engine: hooks, values, history, failure and removal."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.plugins.conftest import kubectl
from tests.e2e.plugins.engine import Engine, eventually

pytestmark = pytest.mark.e2e

CANARY = "canary-8b2e07"

PROGRAM = """
import pulumi, pulumi_kubernetes as k8s
config = pulumi.Config()
release = k8s.helm.v3.Release("demo", **{{**{arguments!r}, **(config.get_object("override") or {{}})}},
    values={{"word": config.get("word") or "hello", "replicas": config.get_int("replicas") or 0,
        "password": pulumi.Output.secret("{canary}")}})
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


def _program(engine: Engine, **arguments: object) -> None:
    engine.program(PROGRAM.format(arguments=arguments, canary=CANARY))


def _helm(*arguments: str) -> str:
    done = subprocess.run(["helm", *arguments], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _data(namespace: str, name: str) -> dict[str, str]:
    data: dict[str, str] = json.loads(kubectl("get", "configmap", name, "-n", namespace, "-o", "json"))["data"]
    return data


def test_the_life_of_a_release(engine: Engine, chart: str, namespace: str) -> None:
    _program(engine, chart=chart, name="demo", namespace=namespace, description="first", max_history=2, timeout=60)
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
    engine.must("config", "set", "--path", "override.description", "second", "--stack", "test")
    assert engine.up().changes == {"updated": 1, "unchanged": 1}
    history = json.loads(_helm("history", "demo", "-n", namespace, "-o", "json"))
    assert [(entry["revision"], entry["description"]) for entry in history] == [(1, "first"), (2, "second")]
    engine.config("word", "moin")
    assert engine.up().changes == {"updated": 1, "unchanged": 1}
    assert _data(namespace, "demo-main")["word"] == "moin"
    assert _data(namespace, "demo-hook") == {"revision": "3"}
    history = json.loads(_helm("history", "demo", "-n", namespace, "-o", "json"))
    assert [entry["revision"] for entry in history] == [2, 3]

    # Removed behind its back: destroy fails until a refresh has seen it.
    _helm("uninstall", "demo", "-n", namespace)
    missing = engine.destroy()
    assert not missing.ok
    assert "not found" in missing.output
    refreshed = engine.refresh()
    assert refreshed.ok, refreshed.output
    assert "demo" not in engine.resources()


def test_name_and_namespace_replace_and_destroy_uninstalls(engine: Engine, chart: str, namespace: str) -> None:
    _program(engine, chart=chart, name="demo", namespace=namespace, timeout=60)
    assert engine.up().ok
    engine.must("config", "set", "--path", "override.name", "other", "--stack", "test")
    replaced = engine.up()
    assert replaced.ok, replaced.output
    assert replaced.changes == {"replaced": 1, "unchanged": 1}
    assert [each["name"] for each in json.loads(_helm("list", "-n", namespace, "-o", "json"))] == ["other"]
    destroyed = engine.destroy()
    assert destroyed.ok, destroyed.output
    assert json.loads(_helm("list", "--all", "-n", namespace, "-o", "json")) == []
    assert "other-main" not in kubectl("get", "configmaps", "-n", namespace, "-o", "name")


def test_a_failed_install_is_recorded_and_upgraded_by_the_next_up(engine: Engine, chart: str, namespace: str) -> None:
    _program(engine, chart=chart, name="demo", namespace=namespace, timeout=4, cleanup_on_fail=True)
    engine.config("replicas", "1")
    failed = engine.up()
    assert not failed.ok
    assert CANARY not in failed.output
    assert engine.resources()["demo"]["id"] == f"{namespace}/demo"
    assert engine.resources()["demo"]["outputs"]["status"]["status"] == "failed"
    engine.config("replicas", "0")
    repaired = engine.up()
    assert repaired.ok, repaired.output
    assert engine.outputs()["status"]["revision"] == 2
    assert engine.outputs()["status"]["status"] == "deployed"

    # `cleanup_on_fail`: an upgrade that fails takes away what it brought.
    engine.config("replicas", "1")
    assert not engine.up().ok
    assert "demo-broken" not in kubectl("get", "deployments", "-n", namespace, "-o", "name")


def test_a_chart_that_is_not_there_is_refused_before_anything_happens(engine: Engine, namespace: str) -> None:
    _program(engine, chart="./nowhere", name="demo", namespace=namespace)
    preview = engine.preview()
    assert not preview.ok
    assert "nowhere" in preview.output


def test_cancel_ends_helm_in_order(engine: Engine, chart: str, namespace: str) -> None:
    _program(engine, chart=chart, name="demo", namespace=namespace, timeout=300)
    engine.config("replicas", "1")
    with engine.start("up", "--yes", "--skip-preview", "--stack", "test") as running:
        eventually(lambda: "demo-broken" in kubectl("get", "deployments", "-n", namespace, "-o", "name"))
        running.interrupt()
        result = running.wait(limit=20)
    assert not result.ok
    # `pending-install` would block every later attempt; a failed release is upgraded by the next one.
    status = json.loads(_helm("status", "demo", "-n", namespace, "-o", "json"))["info"]["status"]
    assert status == "failed"
    engine.config("replicas", "0")
    repaired = engine.up()
    assert repaired.ok, repaired.output
