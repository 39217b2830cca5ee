"""`deploytag ci`: from a checkout and a CI's variables to the command, the summary and the exit code."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploytag.cli import app
from deploytag.delivery.pipeline.carry_out import Commands, carry_out
from deploytag.delivery.pipeline.plan import Deploy, Destroy, Gc, Plan, Skip
from deploytag.delivery.removal.collect import ItemOutcome, ItemResult
from deploytag.delivery.removal.collection import Collection
from deploytag.delivery.removal.gc import Deed, Entry, GcPlan
from deploytag.delivery.removal.gc_run import Collected
from deploytag.delivery.report import Report, Result
from deploytag.delivery.run import Action
from deploytag.errors import DeploymentError, DeployTagError, InterruptedRunError, LeftoverError, UnreachableError
from tests.unit.checkout import Checkout
from tests.unit.ci_environments import GITLAB, github

REF, SHA = "feature/test", "a" * 40
GONE = Entry(Deed.DESTROY, "feature/gone", "the remote has no such branch", (), None)
COLLECTION = Collection.of(Collected("shop", GcPlan(entries=(GONE,), refs=2), results=[ItemResult(ItemOutcome.DONE)]))
POLICY = {
    "cluster": {"server": "https://cluster.test:6443"},
    "classes": {"feature": {"pattern": "feature/*", "secrets": [], "database": False, "migrations": False}},
}


class Recorder:
    """Commands that note how they were called; `error` is what they end with."""

    def __init__(self, error: DeployTagError | None = None) -> None:
        self.calls: list[tuple[str, ...]] = []
        self.said: list[str] = []
        self.error = error

    @property
    def commands(self) -> Commands:
        return Commands(self.deploy, self.destroy, self.gc, self.said.append)

    def deploy(self, ref: str, commit: str) -> Report:
        return self._called(Action.DEPLOY, Result.DEPLOYED, ref, commit)

    def destroy(self, plan: Destroy) -> Report:
        return self._called(Action.DESTROY, Result.DESTROYED, plan.ref)

    def gc(self) -> tuple[Collection, DeployTagError | None]:
        self.calls.append(("gc",))
        return COLLECTION.ended_by(self.error) if self.error else COLLECTION, self.error

    def _called(self, action: Action, outcome: Result, *arguments: str) -> Report:
        self.calls.append((action, *arguments))
        if self.error:
            raise self.error
        return Report(action=action, ref=arguments[0], stack="feature-test", outcome=outcome)


@pytest.mark.parametrize(
    ("plan", "call", "outcome", "reason"),
    [
        (Deploy(REF, SHA), ("deploy", REF, SHA), Result.DEPLOYED, None),
        (Destroy(REF, "It is gone."), ("destroy", REF), Result.DESTROYED, "It is gone."),
        (Skip("No class.", REF), None, Result.SKIPPED, "No class."),
        (Skip("No branch."), None, Result.SKIPPED, "No branch."),
    ],
)
def test_a_plan_is_one_command(
    tmp_path: Path, plan: Plan, call: tuple[str, ...] | None, outcome: Result, reason: str | None
) -> None:
    recorder = Recorder()
    report, error = carry_out(lambda: plan, recorder.commands, "shop", GITLAB, tmp_path)
    assert recorder.calls == ([call] if call else [])
    assert isinstance(report, Report)
    assert error is None
    assert (report.outcome, report.reason) == (outcome, reason)
    assert recorder.said == ([reason] if reason else [])
    assert report.stack == (None if plan == Skip("No branch.") else "feature-test")
    assert f"DEPLOYTAG_RESULT={outcome}\n" in (tmp_path / "deploytag.env").read_text()


@pytest.mark.parametrize(
    ("plan", "error", "action", "outcome"),
    [
        (Deploy(REF, SHA), DeploymentError("The pod crashes."), Action.DEPLOY, Result.FAILED),
        (Deploy(REF, SHA), InterruptedRunError("A signal."), Action.DEPLOY, Result.INTERRUPTED),
        (Destroy(REF, "It is gone."), LeftoverError("A volume."), Action.DESTROY, Result.FAILED),
    ],
)
def test_a_failure_is_in_the_summary_and_goes_on(
    tmp_path: Path, plan: Plan, error: DeployTagError, action: Action, outcome: Result
) -> None:
    summary, output = tmp_path / "summary", tmp_path / "output"
    environ = {"GITHUB_STEP_SUMMARY": str(summary), "GITHUB_OUTPUT": str(output)}
    report, raised = carry_out(lambda: plan, Recorder(error).commands, "shop", environ, tmp_path)
    assert raised is error
    assert isinstance(report, Report)
    assert (report.action, report.outcome, report.reason) == (action, outcome, str(error))
    assert (report.kind, report.exit_code) == (type(error).__name__, error.exit_code)
    assert str(error) in summary.read_text()
    assert output.read_text() == f"url=\nref={REF}\nresult={outcome}\n"


def test_a_remote_that_does_not_answer_is_in_the_summary_and_nothing_is_done(tmp_path: Path) -> None:
    def decide() -> Plan:
        raise UnreachableError("The git remote did not answer.")

    recorder = Recorder()
    summary = tmp_path / "summary"
    _, error = carry_out(decide, recorder.commands, "shop", {"GITHUB_STEP_SUMMARY": str(summary)}, tmp_path)
    assert isinstance(error, UnreachableError)
    assert "### this run could not be carried out\n" in summary.read_text()
    assert "The git remote did not answer." in summary.read_text()
    assert recorder.calls == []


@pytest.mark.parametrize(
    ("error", "result", "heading"),
    [
        (None, "collected", "What should not exist is collected"),
        (LeftoverError("A volume.", ["destroy feature/a: A volume."]), "failed", "Not everything could be collected"),
    ],
)
def test_a_gc_is_in_the_summary_however_it_ends(
    tmp_path: Path, error: DeployTagError | None, result: str, heading: str
) -> None:
    recorder, summary = Recorder(error), tmp_path / "summary"
    environ = GITLAB | {"GITHUB_STEP_SUMMARY": str(summary)}
    collection, raised = carry_out(Gc, recorder.commands, "shop", environ, tmp_path)
    assert (collection.outcome, raised) == (result, error)
    assert recorder.calls == [("gc",)]
    assert (tmp_path / "deploytag.env").read_text() == f"DEPLOYTAG_RESULT={result}\n"
    assert summary.read_text().startswith(f"### {heading}\n")
    assert ("- `destroy feature/a: A volume.`" in summary.read_text()) is bool(error)


def test_a_gc_that_cannot_even_look_is_in_the_summary(tmp_path: Path) -> None:
    error, summary = UnreachableError("The cluster did not answer."), tmp_path / "summary"

    def gc() -> tuple[Collection, None]:
        raise error

    commands = replace(Recorder().commands, gc=gc)
    _, raised = carry_out(Gc, commands, "shop", {"GITHUB_STEP_SUMMARY": str(summary)}, tmp_path)
    assert raised is error
    assert "The cluster did not answer." in summary.read_text()


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def ci(
    checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """`deploytag ci` with these variables in a checkout whose remote has `feature/test` and `main`."""
    monkeypatch.delenv("DEPLOYTAG_POLICY", raising=False)
    monkeypatch.delenv("DEPLOYTAG_REMOTE", raising=False)
    checkout.track({"Pulumi.yaml": "name: shop\nruntime: python\n", "deploytag.policy.yaml": yaml.safe_dump(POLICY)})
    checkout.commit()
    checkout.git("init", "-q", "--bare", "-b", "main", str(tmp_path / "remote.git"))
    checkout.git("remote", "add", "origin", str(tmp_path / "remote.git"))
    checkout.git("push", "-q", "origin", "main", f"main:{REF}")
    (checkout.path / "app").mkdir()

    def run(environ: dict[str, str], *arguments: str) -> tuple[int, str, str]:
        with monkeypatch.context() as patch:
            for name in ("GITHUB_ACTIONS", "GITLAB_CI", "JENKINS_URL", "JENKINS_HOME", "BUILDKITE"):
                patch.delenv(name, raising=False)
            for name, value in environ.items():
                patch.setenv(name, value)
            patch.chdir(checkout.path / "app")
            with pytest.raises(SystemExit) as ended:
                app(["ci", *arguments])
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return run


def test_a_dry_run_prints_the_decision(ci: Callable[..., tuple[int, str, str]], checkout: Checkout) -> None:
    commit = checkout.git("rev-parse", "HEAD")
    assert ci({"DEPLOYTAG_BRANCH": REF}, "--dry-run") == (0, f"deploy {REF} {commit}\n", "")
    gone = "destroy feature/gone feature/gone is gone from the remote.\n"
    assert ci({"DEPLOYTAG_BRANCH": "feature/gone"}, "--dry-run")[1] == gone
    assert ci(github("schedule"), "--dry-run")[1] == "gc\n"
    document: dict[str, Any] = json.loads(ci({"DEPLOYTAG_BRANCH": "main"}, "--dry-run", "--json")[1])
    assert (document["plan"], document["ref"]) == ("skip", "main")
    assert document["why"].startswith("main belongs to no class")


def test_what_a_dry_run_cannot_find_out_is_a_sentence_and_a_code(
    ci: Callable[..., tuple[int, str, str]], checkout: Checkout
) -> None:
    checkout.git("remote", "remove", "origin")
    code, out, err = ci({"DEPLOYTAG_BRANCH": REF}, "--dry-run")
    assert (code, out) == (3, "")
    assert "origin is no remote of the checkout" in err
    checkout.git("remote", "add", "origin", "/nonexistent/shop.git")
    assert ci({"DEPLOYTAG_BRANCH": REF}, "--dry-run")[0] == 8
    outside = checkout.path.with_name("policy.yaml")
    outside.write_text("classes: {}\n")
    code, _, err = ci({"DEPLOYTAG_BRANCH": REF, "DEPLOYTAG_POLICY": str(outside)}, "--dry-run")
    assert code == 3
    assert "deploytag.policy.yaml: cluster: required" in err
    (checkout.path / "Pulumi.yaml").unlink()
    assert ci({}, "--dry-run")[0] == 2


def test_the_last_line_says_how_it_ended(
    ci: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder()
    monkeypatch.setattr("deploytag.cli.ci._commands", lambda *_, **__: recorder.commands)
    assert ci({"DEPLOYTAG_BRANCH": REF}) == (0, "feature/test is deployed\n", "")
    code, out, _ = ci({"DEPLOYTAG_BRANCH": "main"})
    assert code == 0
    assert out == "main: nothing to do\n"
    assert recorder.said[0].startswith("main belongs to no class")
    assert json.loads(ci({"DEPLOYTAG_BRANCH": REF}, "--json")[1])["outcome"] == "deployed"
    assert [call[:2] for call in recorder.calls] == [("deploy", REF), ("deploy", REF)]
    recorder.error = DeploymentError("The pod crashes.")
    assert ci({"DEPLOYTAG_BRANCH": REF}) == (11, "", "deploytag: The pod crashes.\n")
    code, out, err = ci({"DEPLOYTAG_BRANCH": REF}, "--json")
    said = json.loads(out)
    assert (code, err) == (11, "deploytag: The pod crashes.\n")
    assert (said["ref"], said["outcome"], said["kind"], said["exit_code"]) == (REF, "failed", "DeploymentError", 11)
    code, out, _ = ci(github("schedule"), "--json")
    assert (code, json.loads(out)["outcome"]) == (11, "failed")
    recorder.error = None
    assert ci(github("schedule"))[:2] == (0, "What should not exist is collected\n")


def test_a_job_without_credentials_leaves_a_gone_branch_of_no_class_alone(
    ci: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    """As GitHub starts one for each branch that is deleted, whatever it is."""
    (tmp_path / "kubeconfig").write_text("\n")
    environ = {"KUBECONFIG": str(tmp_path / "kubeconfig"), "PULUMI_BACKEND_URL": f"file://{tmp_path}"}
    code, out, err = ci({**environ, "DEPLOYTAG_BRANCH": "chore/x"}, "--json")
    assert (code, json.loads(out)["outcome"]) == (0, "skipped"), err
    assert "belongs to no class" in json.loads(out)["reason"]
    code, out, _ = ci({**environ, "DEPLOYTAG_BRANCH": "feature/gone"}, "--json")
    assert (code, json.loads(out)["outcome"]) == (8, "failed"), "one that has a class may have an environment"
