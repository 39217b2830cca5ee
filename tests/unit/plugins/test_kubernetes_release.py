"""Helm releases without helm: command lines, values, charts on disk, and what is a difference."""

import io
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml

from sandbox.plugins.kubernetes import chart as charts
from sandbox.plugins.kubernetes import helm
from sandbox.plugins.kubernetes.cluster import Cluster
from sandbox.plugins.kubernetes.release import Release
from sandbox.plugins.kubernetes.settings import Settings
from sandbox.plugins.provider import (
    UNKNOWN,
    Asset,
    Cancellation,
    CancelledError,
    CheckRequest,
    DiffRequest,
    InvalidInputError,
    Secret,
    has_secret,
    reveal,
)

TYPE = "kubernetes:helm.sh/v3:Release"
INPUTS: dict[str, Any] = {"name": "demo", "namespace": "ns", "chart": "chart"}


def test_an_install_says_what_the_inputs_say() -> None:
    arguments = helm.install_arguments(
        {**INPUTS, "description": "why", "timeout": 20, "createNamespace": True}, local=True
    )
    assert arguments == [
        *("install", "demo", "chart", "--namespace", "ns", "--create-namespace", "--wait", "--timeout", "20s"),
        *("--description", "why", "--values", "-"),
    ]


def test_an_upgrade_always_says_how_much_history_it_keeps() -> None:
    arguments = helm.upgrade_arguments(
        {**INPUTS, "cleanupOnFail": True, "skipAwait": True, "maxHistory": 3}, local=True
    )
    assert arguments == [
        *("upgrade", "demo", "chart", "--history-max", "3", "--namespace", "ns", "--cleanup-on-fail"),
        *("--timeout", "300s", "--values", "-"),
    ]
    unlimited = helm.upgrade_arguments(INPUTS, local=True)
    assert unlimited[unlimited.index("--history-max") + 1] == "0"


def test_hooks_are_switched_off_by_another_input_each() -> None:
    assert "--no-hooks" in helm.install_arguments({**INPUTS, "disableWebhooks": True}, local=True)
    assert "--no-hooks" not in helm.install_arguments({**INPUTS, "disableCRDHooks": True}, local=True)
    assert "--no-hooks" in helm.upgrade_arguments({**INPUTS, "disableCRDHooks": True}, local=True)


def test_a_version_selects_only_among_charts_of_a_repository() -> None:
    inputs = {**INPUTS, "version": "1.2.3", "repositoryOpts": {"repo": "https://charts.example.com"}}
    assert "--version" in helm.install_arguments(inputs, local=False)
    assert "--version" not in helm.install_arguments(inputs, local=True)
    assert "https://charts.example.com" in helm.chart_arguments(inputs)


def test_an_uninstall_waits_unless_told_not_to() -> None:
    assert helm.uninstall_arguments(INPUTS)[-3:] == ["--wait", "--timeout", "300s"]
    assert "--wait" not in helm.uninstall_arguments({**INPUTS, "skipAwait": True})
    assert "--wait" in helm.uninstall_arguments({**INPUTS, "skipAwait": True, "atomic": True})


def test_no_value_is_on_any_command_line() -> None:
    inputs = {**INPUTS, "values": {"password": "hunter22"}, "description": "d"}
    for arguments in (helm.install_arguments(inputs, local=True), helm.upgrade_arguments(inputs, local=True)):
        assert not any("hunter22" in argument for argument in arguments)


def _write_chart(path: Path, **document: Any) -> Path:
    path.mkdir(parents=True)
    (path / "Chart.yaml").write_text(yaml.safe_dump({"name": path.name, "version": "0.1.0", **document}))
    return path


def test_a_chart_says_its_version_and_what_it_misses(tmp_path: Path) -> None:
    root = _write_chart(tmp_path / "app", dependencies=[{"name": "redis"}, {"name": "packed"}, {"name": "absent"}])
    _write_chart(root / "charts" / "folder-of-another-name", name="redis")
    text = yaml.safe_dump({"name": "packed", "version": "1.0.0"}).encode()
    with tarfile.open(root / "charts" / "packed-1.0.0.tgz", "w:gz") as archive:
        member = tarfile.TarInfo("packed/Chart.yaml")
        member.size = len(text)
        archive.addfile(member, io.BytesIO(text))
    assert charts.read(root) == charts.Chart("0.1.0", ("absent",))
    assert charts.read(root / "charts" / "packed-1.0.0.tgz").version == "1.0.0"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("type: library\nversion: 1.0.0\n", "not installable"),
        ("name: x\n", "no version"),
        ("[", "not YAML"),
        ("", "empty"),
    ],
)
def test_a_chart_that_is_none_is_said_so(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "Chart.yaml").write_text(text)
    with pytest.raises(InvalidInputError, match=said):
        charts.read(tmp_path)


def test_values_files_lie_under_the_values() -> None:
    file = Asset({"text": "a: 1\nb: {c: 1, d: 2}\nempty: null\n"})
    merged = charts.merged_values([file], {"b": {"c": 9}, "e": UNKNOWN}, keep_nulls=False)
    assert merged == {"a": 1, "b": {"c": 9, "d": 2}, "e": UNKNOWN}
    assert charts.merged_values([file], {}, keep_nulls=True)["empty"] is None
    assert charts.merged_values([Secret(file)], {}, keep_nulls=False) == Secret({"a": 1, "b": {"c": 1, "d": 2}})


def test_resources_are_named_by_kind_and_version() -> None:
    manifest = """
apiVersion: v1
kind: Service
metadata: {name: web}
---
# only a comment
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: elsewhere}
spec: {operator: =, day: 2000-13-40}
"""
    assert charts.resource_names(manifest) == {"Deployment.apps/apps/v1": ["elsewhere/web"], "Service/v1": ["web"]}


@pytest.fixture
def release() -> Release:
    """A handler that reaches no cluster; its default namespace is `fallback`."""
    stand_in = SimpleNamespace(
        settings=Settings(),
        cancellation=Cancellation(),
        connection=SimpleNamespace(namespace="fallback", helm_arguments=()),
        default_namespace="fallback",
    )
    return Release(cast("Cluster", stand_in))


def _check(release: Release, inputs: dict[str, Any], old: dict[str, Any] | None = None) -> Any:
    return release.check(CheckRequest("urn", TYPE, "demo", inputs, old or {}, b"seed"))


def test_check_completes_the_inputs(release: Release, tmp_path: Path) -> None:
    chart = str(_write_chart(tmp_path / "app"))
    checked = _check(release, {"chart": chart, "compat": "true", "values": {"password": Secret("x")}})
    assert checked.failures == []
    assert checked.inputs["name"].startswith("demo-")
    assert {key: checked.inputs[key] for key in ("namespace", "timeout", "version")} == {
        "namespace": "fallback",
        "timeout": 300,
        "version": "0.1.0",
    }
    assert "compat" not in checked.inputs
    assert has_secret(checked.inputs["values"])
    again = _check(release, {"chart": chart}, checked.inputs)
    assert again.inputs["name"] == checked.inputs["name"]


def test_check_refuses_what_it_would_have_to_ignore(release: Release, tmp_path: Path) -> None:
    chart = str(_write_chart(tmp_path / "app", dependencies=[{"name": "redis"}]))
    options = {"repo": "", "password": Secret("hunter22")}
    checked = _check(release, {"chart": chart, "recreatePods": True, "repositoryOpts": options})
    assert [failure.property for failure in checked.failures] == ["recreatePods", "repositoryOpts.password", "chart"]
    assert "redis" in checked.failures[2].reason
    assert "hunter22" not in repr(checked.failures)


def test_check_lets_unknown_values_pass(release: Release, tmp_path: Path) -> None:
    chart = str(_write_chart(tmp_path / "app"))
    checked = _check(release, {"chart": chart, "namespace": UNKNOWN, "values": {"image": UNKNOWN}})
    assert checked.failures == []
    assert checked.inputs["namespace"] is UNKNOWN


def _diff(release: Release, old: dict[str, Any], new: dict[str, Any], **state: Any) -> dict[tuple[Any, ...], bool]:
    recorded = {**reveal(old), **state}
    diff = release.diff(DiffRequest("urn", TYPE, "demo", "ns/demo", inputs=new, old_inputs=old, state=recorded))
    return {change.path: change.replaces for change in diff.changes}


def test_what_is_a_difference_and_what_replaces(release: Release) -> None:
    old = {**INPUTS, "description": "a", "values": {"x": 1, "password": Secret("p")}, "version": "0.1.0"}
    assert _diff(release, old, old) == {}
    assert _diff(release, old, {**old, "description": "b"}) == {("description",): False}
    assert _diff(release, old, {**old, "values": {"x": 2, "password": Secret("p")}}) == {("values", "x"): False}
    assert _diff(release, old, {**old, "name": "other"}) == {("name",): True}
    assert _diff(release, old, {**old, "namespace": "other"}) == {("namespace",): True}
    assert _diff(release, old, {**old, "values": UNKNOWN}) == {("values",): False}


def test_saying_nothing_is_no_difference(release: Release) -> None:
    explicit = {**INPUTS, "atomic": False, "description": "", "repositoryOpts": {}, "compat": "true"}
    assert _diff(release, explicit, INPUTS) == {}
    assert _diff(release, INPUTS, explicit) == {}


def test_what_a_refresh_found_is_a_difference(release: Release) -> None:
    inputs = {**INPUTS, "values": {"x": 1}, "version": "0.2.0"}
    assert _diff(release, inputs, inputs, values={"x": 7, "more": 1}) == {("values", "x"): False}
    assert _diff(release, inputs, inputs, version="0.1.0") == {("version",): False}


@pytest.fixture
def fake_helm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `helm` on PATH that does what its script says."""
    binary = tmp_path / "bin" / "helm"
    binary.parent.mkdir()
    monkeypatch.setenv("PATH", f"{binary.parent}:/usr/bin:/bin")
    return binary


def _script(binary: Path, text: str) -> helm.Helm:
    binary.write_text(f"#!/bin/sh\n{text}\n")
    binary.chmod(0o755)
    return helm.Helm(("--kube-context", "x"), Cancellation())


def test_values_go_to_standard_input(fake_helm: Path) -> None:
    runner = _script(fake_helm, 'echo "$*"; cat')
    assert runner.run(["install"], {"password": "hunter22"}) == 'install --kube-context x\n{"password": "hunter22"}'


def test_an_error_is_helms_own_last_words(fake_helm: Path) -> None:
    runner = _script(fake_helm, "echo 'WARNING: readable' >&2; echo 'Error: release: not found' >&2; exit 1")
    with pytest.raises(helm.HelmError, match=r"^release: not found$") as caught:
        runner.run(["uninstall"])
    assert helm.release_not_found(caught.value)


def test_cancel_sends_one_signal_and_lets_helm_finish(fake_helm: Path, tmp_path: Path) -> None:
    log = tmp_path / "signals"
    # Helm marks the release as failed before it ends; a second signal in that time would leave it pending.
    runner = _script(
        fake_helm,
        f"trap 'echo TERM >> {log}' TERM\n"
        f"echo started >> {log}\n"
        f"until grep -q TERM {log}; do /bin/sleep 0.05; done\n"
        "/bin/sleep 0.5\n"
        "echo 'Error: release cancelled' >&2; exit 1",
    )
    with ThreadPoolExecutor() as pool:
        running = pool.submit(runner.run, ["install"])
        while not log.exists():
            assert not running.done(), running.result()
        runner.cancellation.cancel()
        with pytest.raises(helm.CancelledHelmError, match="release cancelled"):
            running.result(timeout=20)
    assert log.read_text().splitlines() == ["started", "TERM"]


def test_nothing_is_started_after_a_cancel(fake_helm: Path, tmp_path: Path) -> None:
    runner = _script(fake_helm, f"touch {tmp_path}/started")
    runner.cancellation.cancel()
    with pytest.raises(CancelledError):
        runner.run(["install"])
    assert not (tmp_path / "started").exists()
