"""No shell is ever given what somebody else wrote: in the code, and in the scripts that are shipped."""

import ast
import subprocess
from pathlib import Path

import pytest

from deploytag.delivery.initialise import Pipeline
from tests.unit.initialise.test_pipelines import Recorder, gitlab, gitlab_job, text

REPOSITORY = Path(__file__).parents[3]
SOURCES = sorted((REPOSITORY / "deploytag").rglob("*.py"))
HOSTILE = ["$(touch pwned)", "`touch pwned`", "; touch pwned", "' touch pwned '", '" touch pwned "', "-h", "a b", "*"]
BY_A_SHELL = {"system", "popen", "getoutput", "getstatusoutput", "create_subprocess_shell"}


def test_no_program_is_started_by_a_shell() -> None:
    assert len(SOURCES) > 100
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.keyword(arg="shell", value=value):
                    assert isinstance(value, ast.Constant), path
                    assert value.value is False, path
                case ast.Attribute(value=ast.Name(id="os" | "subprocess" | "asyncio"), attr=name):
                    assert name not in BY_A_SHELL, f"{path}:{node.lineno}: {name}"
                case ast.List(elts=[ast.Constant(value="sh" | "bash" | "/bin/sh" | "/bin/bash"), *_]):
                    pytest.fail(f"{path}:{node.lineno} starts a shell")


def test_every_question_about_a_name_ends_gits_options() -> None:
    """`git ls-remote`, `fetch` and the like take what begins with a dash for an option, unless told."""
    named = {"ls-remote", "fetch", "ls-files", "worktree"}
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call | ast.List):
                continue
            words = [it.value for it in ast.walk(node) if isinstance(it, ast.Constant) and isinstance(it.value, str)]
            if words and words[0] in named and len(words) > 1:
                assert "--" in words or "remove" in words, f"{path}:{node.lineno}: {words}"


@pytest.mark.parametrize("hostile", HOSTILE)
def test_gitlabs_scripts_quote_what_a_pipeline_is_told(tmp_path: Path, hostile: str) -> None:
    recorder = Recorder(tmp_path)
    for name in ("git", "docker", "rm", "deploytag", "aws"):
        recorder.add(name)
    work = tmp_path / "work"
    work.mkdir()
    (work / "deploytag.sh").write_text("#!/bin/sh\n")
    (work / "deploytag.sh").chmod(0o755)
    (work / "default-branch").mkdir()
    (work / "default-branch" / "deploytag.sh").symlink_to("../deploytag.sh")
    told = (
        *("CI_COMMIT_BRANCH", "CI_COMMIT_REF_NAME", "CI_COMMIT_REF_SLUG", "CI_COMMIT_TITLE", "CI_DEFAULT_BRANCH"),
        *("CI_REPOSITORY_URL", "CI_REGISTRY", "CI_REGISTRY_USER", "CI_REGISTRY_PASSWORD", "AWS_ROLE_ARN"),
        *("REGISTRY_USER", "REGISTRY_PASSWORD", "DEPLOYTAG_AWS_TOKEN", "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME"),
    )
    pipeline = gitlab()
    lines = [*pipeline[".deploytag"]["before_script"]]
    for job in ("deploy:feature", "stop:feature", "gc", "sync:feature"):
        lines += gitlab_job(pipeline, f"deploytag:{job}")["script"]
    done = recorder.run("bash", "\n".join(lines), work, **dict.fromkeys(told, hostile))
    assert done.returncode == 0, done.stderr
    assert f"git clone --quiet --depth 1 --branch {hostile} {hostile} default-branch" in recorder.calls
    assert not list(tmp_path.rglob("pwned"))


@pytest.mark.parametrize("hostile", HOSTILE)
def test_the_script_passes_its_arguments_on_as_they_are(tmp_path: Path, hostile: str) -> None:
    folder = tmp_path / "application"
    bin_ = folder / ".deploytag" / "venv" / "bin"
    bin_.mkdir(parents=True)
    (folder / ".deploytag" / "requirements.txt").write_text("")
    for path in (folder / ".deploytag" / "package.txt", bin_.parent / "installed.txt"):
        path.write_text("deploytag==0.1.0\n")
    for name in ("python", "deploytag"):
        (bin_ / name).write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
        (bin_ / name).chmod(0o755)
    script = folder / "deploytag.sh"
    script.write_text(text("deploytag.sh", Pipeline.SHELL))
    script.chmod(0o755)
    done = subprocess.run(
        [script, "name", hostile],
        env={"PATH": "/usr/bin:/bin", "DEPLOYTAG_BRANCH": hostile},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-2:] == ["name", hostile]
    assert not list(tmp_path.rglob("pwned"))
