"""A checkout whose Pulumi.yaml cannot be read: what needs none of it works with `--project`."""

from collections.abc import Callable
from pathlib import Path

import pytest

from deploytag.cli import app
from tests.unit.checkout import Checkout

BROKEN = "name: [shop\n"
POLICY = """\
cluster: {server: "https://cluster.test:6443"}
classes:
  feature: {pattern: feature/*, secrets: [], database: false, migrations: false}
"""
WORK_ALL_THE_SAME = {
    "destroy": ("feature/test",),
    "gc": (),
    "ls": (),
    "status": ("feature/test",),
    "why": ("feature/test",),
    "logs": ("feature/test",),
    "keep": ("feature/test", "--for", "1d"),
}

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """A command in the checkout: exit code, and what a person is told."""
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    checkout.track({"Pulumi.yaml": BROKEN})
    checkout.commit()
    monkeypatch.setenv("DEPLOYTAG_POLICY", str(policy))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.chdir(checkout.path)

    def run(*arguments: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            app(arguments)
        return int(ended.value.code or 0), capsys.readouterr().err

    return run


@pytest.mark.parametrize("command", WORK_ALL_THE_SAME)
def test_what_needs_no_program_is_told_the_project(run: Run, command: str) -> None:
    code, told = run(command, *WORK_ALL_THE_SAME[command])
    assert code == 2
    assert "cannot be read as YAML" in told
    assert "give the project with --project" in told
    code, told = run(command, *WORK_ALL_THE_SAME[command], "--project", "shop")
    assert (code, "no usable kubeconfig" in told) == (8, True), "it came as far as the cluster, which there is none of"


def test_a_checkout_without_pulumi_yaml_will_do(run: Run, checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    (checkout.path / "Pulumi.yaml").unlink()
    (checkout.path / "below").mkdir()
    monkeypatch.chdir(checkout.path / "below")
    assert run("destroy", "feature/test")[0] == 2
    assert run("destroy", "feature/test", "--project", "shop")[0] == 8
    assert run("destroy", "feature/test", "--project", "no project")[0] == 3


@pytest.mark.parametrize("command", ["deploy", "sleep", "wake", "sync", "ci"])
def test_what_runs_the_program_says_to_correct_it(run: Run, command: str) -> None:
    code, told = run(command)
    assert code == 2
    assert "Correct it." in told
    assert "--project" not in told
