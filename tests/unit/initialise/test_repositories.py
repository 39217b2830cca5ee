"""`deploytag init` in repositories of many kinds: what is there stays, what is missing comes, or nothing does."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import pytest

from deploytag.cli import app
from deploytag.delivery.doctor import checkout as doctor
from deploytag.delivery.doctor.findings import Level
from deploytag.delivery.initialise import write as write_module
from deploytag.delivery.initialise.render import File
from deploytag.delivery.project import Project
from deploytag.errors import ContentError
from deploytag.settings import POLICY_FILE, Settings
from tests.unit.checkout import Checkout

CHART = {
    "deploy/chart/Chart.yaml": "apiVersion: v2\nname: own\nversion: 1.0.0\n",
    "deploy/chart/templates/service.yaml": (
        "apiVersion: v1\nkind: Service\nmetadata: {name: '{{ .Release.Name }}'}\n"
        "spec: {type: LoadBalancer, ports: [{port: 80}]}\n"
    ),
}
KINDS: Mapping[str, Mapping[str, str]] = {
    "empty": {},
    "node": {
        "package.json": '{"scripts": {"test": "node --test"}}\n',
        "server.js": "// serves\n",
        "Dockerfile": "FROM node:22\nCOPY . .\nEXPOSE 3000\nCMD node server.js\n",
        ".gitignore": "node_modules/\n",
        ".dockerignore": "node_modules\n",
    },
    "python": {"pyproject.toml": "[project]\nname = 'x'\nversion = '1'\n", "requirements.txt": "flask\n"},
    "own chart": CHART,
    "own base": {"Dockerfile.base": "FROM ruby:3\n", "Dockerfile": "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\n"},
    "own pipelines": {
        ".gitlab-ci.yml": "test: {script: [make test]}\n",
        ".github/workflows/test.yml": "on: push\njobs: {}\n",
    },
}


def snapshot(root: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(root)): (path.stat().st_mode, path.read_bytes())
        for path in root.rglob("*")
        if path.is_file() and ".git" not in path.relative_to(root).parts[:1]
    }


@pytest.fixture
def here(checkout: Checkout, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Checkout:
    monkeypatch.chdir(checkout.path)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "no-kubeconfig"))
    return checkout


def init(*arguments: str) -> int | str | None:
    with pytest.raises(SystemExit) as ended:
        app(["init", *arguments])
    return ended.value.code


def init_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, list[str]]:
    capsys.readouterr()
    assert init("--json", *arguments) == 0
    document: dict[str, list[str]] = json.loads(capsys.readouterr().out)
    return document


@pytest.mark.parametrize("ci", ["github", "gitlab", "shell"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_there_stays_and_the_result_is_valid(
    here: Checkout, capsys: pytest.CaptureFixture[str], kind: str, ci: str
) -> None:
    here.track(dict(KINDS[kind]))
    before = snapshot(here.path)
    document = init_json(capsys, "--ci", ci, "--project", "shop")
    after = snapshot(here.path)
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) == set(document["written"])
    settings = Settings.load(here.path)
    assert [settings.policy.class_of(ref).pattern for ref in ("feature/x", "bug/x/y", "epic/x")] == [
        "feature/*",
        "bug/*",
        "epic/*",
    ]
    assert isinstance(Project.read(here.path, {}).need_pulumi().default("registry"), str)
    assert (here.path / "deploytag.sh").stat().st_mode & 0o111
    # Everything that was written is for git, and nothing else: not the environment, not what is staged.
    here.write(".deploytag/venv/bin/python")
    here.write(".deploytag/contexts/a/Dockerfile")
    here.write("stacks/Pulumi.feature-x.yaml")
    here.git("add", "--all")
    assert set(here.git("ls-files").splitlines()) == set(after)
    # The second time there is nothing to do.
    here.git("clean", "-qfdX")
    again = init_json(capsys, "--ci", ci)
    assert again["written"] == []
    assert snapshot(here.path) == after


def test_a_dirty_repository_is_no_obstacle(here: Checkout, capsys: pytest.CaptureFixture[str]) -> None:
    here.track({"main.go": "package main\n"})
    here.commit()
    here.write("main.go", "package main // edited\n")
    here.write("untracked.txt", "mine\n")
    init_json(capsys)
    assert (here.path / "main.go").read_text() == "package main // edited\n"
    assert (here.path / "untracked.txt").read_text() == "mine\n"


def test_what_a_person_edited_is_kept(here: Checkout, capsys: pytest.CaptureFixture[str]) -> None:
    init_json(capsys)
    here.write("deploytag.yaml", "tests: {command: [make, test]}\n")
    (here.path / "charts/app/templates/migrate.yaml").unlink()
    (here.path / "Dockerfile").unlink()
    document = init_json(capsys)
    assert document["written"] == ["Dockerfile"], "a chart is one thing: no file is put into one that is there"
    assert "charts/app" in document["kept"]
    assert Settings.load(here.path).application.tests is not None


def test_a_dry_run_writes_nothing(here: Checkout, capsys: pytest.CaptureFixture[str]) -> None:
    document = init_json(capsys, "--dry-run")
    assert "Pulumi.yaml" in document["written"]
    assert snapshot(here.path) == {}


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"__main__.py": "print('mine')\n"}, "__main__.py is there and is not DeployTag's"),
        ({"Pulumi.yaml": "name: infra\nruntime: nodejs\n"}, "Pulumi.yaml is there and belongs to another program"),
        ({"stacks": "a file\n"}, "stacks is no folder"),
        ({"deploytag.sh/x": "a folder\n"}, "deploytag.sh is a folder"),
        ({"charts/app/README.md": "no chart\n"}, "charts/app is there and is no chart"),
        ({"deploytag.policy.yaml": "classes: {}\n"}, "deploytag.policy.yaml: cluster: required"),
        ({"Pulumi.yaml": "runtime: python\n"}, "the Pulumi.yaml that is there cannot be used"),
    ],
)
def test_what_stands_in_the_way_is_a_sentence_and_nothing_is_written(
    here: Checkout, capsys: pytest.CaptureFixture[str], files: dict[str, str], sentence: str
) -> None:
    here.track(files)
    before = snapshot(here.path)
    assert init() not in (0, 1)
    assert sentence in capsys.readouterr().err
    assert snapshot(here.path) == before


def test_every_obstacle_is_named_at_once(here: Checkout, capsys: pytest.CaptureFixture[str]) -> None:
    here.track({"__main__.py": "print('mine')\n", "stacks": "a file\n"})
    init()
    said = capsys.readouterr().err
    assert "__main__.py is there" in said
    assert "stacks is no folder" in said


def test_a_link_out_of_the_repository_is_not_followed(
    here: Checkout, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (here.path / "stacks").symlink_to(tmp_path / "elsewhere")
    assert init() == ContentError.exit_code
    assert "stacks is no folder" in capsys.readouterr().err
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_outside_of_a_repository_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert init() == 4
    assert "not in a git repository" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_below_the_root_one_is_sent_there(
    here: Checkout, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (here.path / "src").mkdir()
    monkeypatch.chdir(here.path / "src")
    assert init() == 2
    assert f"Run it in {here.path}" in capsys.readouterr().err


def test_what_git_ignores_is_said(here: Checkout, capsys: pytest.CaptureFixture[str]) -> None:
    here.track({".gitignore": ".deploytag/\nDockerfile.*\n"})
    document = init_json(capsys)
    (said,) = [step for step in document["next"] if step.startswith("git ignores")]
    assert "Dockerfile.base" in said
    assert ".deploytag/requirements.txt" in said


def test_a_failure_takes_back_what_was_written(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "mine").write_text("mine")
    files = [File(path, "text") for path in map(PurePosixPath, ["a/b/c", "there/new", "there/mine"])]
    with pytest.raises(ContentError, match=r"there/mine could not be written: File exists\. What had been written"):
        write_module(tmp_path, files)
    assert snapshot(tmp_path) == {"there/mine": ((tmp_path / "there" / "mine").stat().st_mode, b"mine")}
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


@pytest.mark.toolchain
@pytest.mark.skipif(shutil.which("helm") is None, reason="helm is not on PATH")
@pytest.mark.parametrize(
    "options", [(), ("--secret", "staging/app"), ("--database-key", "staging/key", "--secret", "a")]
)
@pytest.mark.parametrize("kind", KINDS)
def test_the_chart_renders_as_the_program_will_render_it(
    here: Checkout, capsys: pytest.CaptureFixture[str], kind: str, options: tuple[str, ...]
) -> None:
    here.track(dict(KINDS[kind]))
    init_json(capsys, *options)
    here.commit()
    outside = here.path.parent / "policy.yaml"
    outside.write_text((here.path / POLICY_FILE).read_text())
    project = Project.read(here.path, {"DEPLOYTAG_POLICY": str(outside)})
    assert [finding.level for finding in doctor.renders(project)] == [Level.OK]
    assert [finding.level for finding in doctor.sources(project)] == [Level.OK]
