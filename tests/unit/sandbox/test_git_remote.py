"""Pushing to the sandbox's git remote: real pushes to a real repository, with a `deploytag` that notes its calls."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from sandbox import git_remote, hook, push, record
from sandbox.errors import SandboxError
from sandbox.hook import Update
from sandbox.layout import Layout
from sandbox.patience import NotYetError, patiently
from tests.unit.checkout import Checkout

A, B, ZERO = "a" * 40, "b" * 40, "0" * 40

# The hook as it is, with a sandbox that runs and whose programs are in `bin`.
HOOK = """
import sys
from sandbox import env, hook, record
record.alive = lambda _: {alive}
env.variables = lambda *_: {{"PATH": {path!r}}}
sys.exit(hook.main(sys.argv[1:]))
"""

# In place of the wrapper. It says when it began and when it ends; a file `hold` keeps it until that is gone.
DEPLOYTAG = f"""#!{sys.executable}
import json, os, signal, subprocess, sys, time
from pathlib import Path
calls = Path({{calls!r}})
ref = os.environ["DEPLOYTAG_BRANCH"]
def git(*arguments):
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, errors="surrogateescape")
    return done.stdout.strip()
sys.stdout.reconfigure(errors="surrogateescape")
call = dict(
    arguments=sys.argv[1:], ref=ref, commit=git("rev-parse", "HEAD"), cwd=os.getcwd(), environ=dict(os.environ),
    refs=git("ls-remote", "sandbox"), venv=os.path.realpath(".venv"), files=git("ls-files"), parent=os.getppid(),
    stdin=sys.stdin.read(), session=os.getsid(0),
    ignored=[number for number in (1, 2, 15) if signal.getsignal(number) is signal.SIG_IGN],
)
path = calls / f"{{{{os.getpid()}}}}.json"
path.with_suffix(".new").write_text(json.dumps(call))
path.with_suffix(".new").rename(path)
print("begins", flush=True)
while (calls / "hold").exists():
    time.sleep(0.02)
print("No such thing." if (calls / "fail").exists() else f"{{{{ref}}}} is served at http://192.0.2.1", flush=True)
sys.exit(11 if (calls / "fail").exists() else 0)
"""


@dataclass
class Remote:
    """A sandbox's git remote, and a checkout that pushes to it."""

    layout: Layout
    checkout: Checkout
    calls_folder: Path
    alive: bool = True

    def ensure(self) -> None:
        path = f"{self.calls_folder.parent / 'bin'}:{os.environ['PATH']}"
        git_remote.ensure(self.layout, [sys.executable, "-P", "-c", HOOK.format(alive=self.alive or None, path=path)])

    def start(self, *refspecs: str, environ: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """`git push`, in a process group of its own as a shell would have it."""
        return subprocess.Popen(
            ["git", "push", "sandbox", *refspecs],
            cwd=self.checkout.path,
            env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **(environ or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="surrogateescape",
            process_group=0,
        )

    def push(self, *refspecs: str, code: int = 0, environ: Mapping[str, str] | None = None) -> list[str]:
        """What git shows of the remote's words."""
        process = self.start(*refspecs, environ=environ)
        said, _ = process.communicate(timeout=60)
        assert process.returncode == code, said
        return [line.removeprefix("remote: ").rstrip() for line in said.splitlines() if line.startswith("remote: ")]

    def calls(self) -> dict[str, dict[str, Any]]:
        """How `deploytag` was called since the last time, by ref."""
        found = {}
        for path in self.calls_folder.glob("*.json"):
            call = json.loads(path.read_text())
            assert call["ref"] not in found
            found[call["ref"]] = call
            path.unlink()
        return found

    def hold(self) -> Path:
        """Keep runs until the file that this returns is removed."""
        path = self.calls_folder / "hold"
        path.touch()
        return path

    def wait_for_call(self) -> dict[str, Any]:
        def called() -> dict[str, Any]:
            found = self.calls()
            if not found:
                raise NotYetError
            return next(iter(found.values()))

        return patiently(called, seconds=30, every=0.02)

    def log(self) -> str:
        return "".join(path.read_text() for path in sorted(self.layout.pushes.glob("*.log")))

    def checkouts(self) -> list[Path]:
        return [path for path in self.layout.checkouts.iterdir() if path.is_dir()]


@pytest.fixture
def remote(tmp_path: Path, checkout: Checkout) -> Remote:
    calls = tmp_path / "calls"
    calls.mkdir()
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "deploytag"
    program.write_text(DEPLOYTAG.format(calls=str(calls)))
    program.chmod(0o755)
    made = Remote(Layout(tmp_path / "it's a sandbox"), checkout, calls)
    made.layout.root.mkdir()
    made.ensure()
    checkout.git("remote", "add", "sandbox", str(made.layout.repository))
    checkout.track({"app.py": "1"})
    checkout.commit()
    return made


def test_a_push_is_delivered_from_a_checkout_of_its_own(remote: Remote) -> None:
    commit = remote.checkout.commit()
    inherited = {"GITHUB_ACTIONS": "true", "CI": "true", "DEPLOYTAG_BRANCH": "other", "KEPT": "1", "PYTHONHOME": ""}
    said = remote.push("main:feature/test", environ=inherited)
    call = remote.calls()["refs/heads/feature/test"]
    assert call["arguments"] == ["ci"]
    assert call["commit"] == commit
    assert call["files"] == "app.py"
    assert f"{commit}\trefs/heads/feature/test" in call["refs"], "the remote has its name there too"
    assert call["venv"] == os.path.realpath(sys.prefix)
    assert call["stdin"] == ""
    environ = call["environ"]
    assert environ["KEPT"] == "1"
    assert not [name for name in environ if name.startswith(("GIT_", "GITHUB_", "CI", "PYTHONPATH", "PYTHONHOME"))]
    assert said[0] == f"feature/test is at {commit[:12]}"
    assert said[-2:] == ["begins", "refs/heads/feature/test is served at http://192.0.2.1"]
    assert "is served at http://192.0.2.1\n" in remote.log()
    assert remote.checkouts() == []


def test_every_ref_of_a_push_is_delivered(remote: Remote) -> None:
    commit = remote.checkout.commit()
    remote.checkout.git("tag", "-m", "annotated", "v1")
    remote.push("main:feature/old")
    remote.calls()
    said = remote.push("main:feature/a", "main:bug/b", "v1", ":feature/old", "main:refs/notes/x")
    calls = remote.calls()
    assert set(calls) == {"refs/heads/feature/a", "refs/heads/bug/b", "refs/tags/v1", "refs/heads/feature/old"}
    assert {call["commit"] for call in calls.values()} == {commit}
    assert len({call["cwd"] for call in calls.values()}) == 4
    for ref in calls:
        assert f"{ref.split('/', 2)[2]}: {ref} is served at http://192.0.2.1" in said
    assert "feature/old is deleted" in said
    assert remote.push("main:refs/notes/y") == []
    assert remote.calls() == {}


def test_what_is_deleted_is_judged_by_the_default_branch_if_there_is_one(remote: Remote) -> None:
    first = remote.checkout.commit()
    remote.push("main:feature/a", "main:feature/b")
    remote.calls()
    remote.push(":feature/a")
    assert remote.calls()["refs/heads/feature/a"]["commit"] == first, "what it was"
    second = remote.checkout.commit()
    remote.push("main")
    remote.calls()
    remote.push(":feature/b")
    call = remote.calls()["refs/heads/feature/b"]
    assert call["commit"] == second
    assert "feature/b" not in call["refs"]
    remote.push(":main")
    assert remote.calls()["refs/heads/main"]["commit"] == second


def test_a_name_is_a_name_and_nothing_else(remote: Remote) -> None:
    names = [
        *("--help", "-c", "$(touch${IFS}touched)", "`id`", "a;id", "a&b", "a|b", "a'b\"c", "<a>", "{{x}}", "%s%n"),
        *("a\u2028b", "ä", b"\xff\xfe".decode(errors="surrogateescape"), "x" * 200, "refs/heads/x"),
    ]
    said = remote.push(*(f"main:refs/heads/{name}" for name in names))
    assert set(remote.calls()) == {f"refs/heads/{name}" for name in names}, said
    for name in names:
        assert f"{name}: begins" in said or "\u2028" in name, "git itself breaks that line"
    assert not list(remote.layout.root.rglob("touched"))
    assert len(list(remote.layout.pushes.iterdir())) == len(names)
    assert remote.checkouts() == []


def test_names_that_are_longer_together_than_an_argument_can_be(remote: Remote) -> None:
    long = "/".join(["x" * 250] * 13)
    names = [f"feature/{number}/{long}" for number in range(42)]
    assert sum(map(len, names)) > 128 << 10
    said = remote.push(*(f"main:refs/heads/{name}" for name in names))
    assert set(remote.calls()) == {f"refs/heads/{name}" for name in names}, said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGKILL])
def test_a_run_outlives_who_pushed(remote: Remote, number: signal.Signals) -> None:
    hold = remote.hold()
    process = remote.start("main:feature/test")
    call = remote.wait_for_call()
    assert call["session"] != os.getsid(process.pid)
    assert call["ignored"] == [], "it can be told to end, though the hook could not be"
    os.killpg(process.pid, number)
    process.wait(timeout=30)
    run = psutil.Process(call["parent"])
    assert run.is_running()
    hold.unlink()
    run.wait(timeout=30)
    assert "is served at http://192.0.2.1\n" in remote.log()
    assert remote.checkouts() == []


def test_an_interrupt_before_the_run_begins_is_too_early_to_prevent_it(
    remote: Remote,
) -> None:
    """The refs are updated by then: without a run nobody would deploy them."""
    slow = remote.layout.repository / "hooks" / "post-receive"
    # Git has said what was pushed; if it is ended before, nobody can know.
    until = "cat > pushed; touch hooked; while [ -e hooked ]; do sleep 0.02; done; exec < pushed; exec "
    slow.write_text(slow.read_text().replace("exec ", until))
    process = remote.start("main:feature/test")
    hooked = remote.layout.repository / "hooked"

    def reached() -> None:
        if not hooked.exists():
            raise NotYetError

    patiently(reached, seconds=30, every=0.02)
    os.killpg(process.pid, signal.SIGINT)
    process.wait(timeout=30)
    hooked.unlink()
    assert remote.wait_for_call()["ref"] == "refs/heads/feature/test"


def test_a_run_outlives_its_keeper_and_keeps_its_checkout(remote: Remote) -> None:
    hold = remote.hold()
    process = remote.start("main:feature/test")
    call = remote.wait_for_call()
    psutil.Process(call["parent"]).kill()
    process.wait(timeout=30)
    held = remote.checkouts()
    assert [str(path) for path in held] == [call["cwd"]]
    hold.unlink()

    def served() -> None:
        if "is served at" not in remote.log():
            raise NotYetError

    patiently(served, seconds=30, every=0.02)
    remote.push("main:feature/next")
    assert remote.checkouts() == [], "what was left is removed by the next push"


def test_a_checkout_in_use_is_not_taken_for_a_leftover(remote: Remote) -> None:
    (remote.layout.checkouts / "left").mkdir()
    hold = remote.hold()
    first = remote.start("main:feature/a")
    folder = remote.wait_for_call()["cwd"]
    second = remote.start("main:feature/b")
    other = remote.wait_for_call()["cwd"]
    assert {str(path) for path in remote.checkouts()} == {folder, other}
    hold.unlink()
    assert first.wait(timeout=30) == second.wait(timeout=30) == 0
    for process in (first, second):
        process.communicate()


def test_a_failure_is_shown_and_may_be_tried_again(
    remote: Remote, capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    (remote.calls_folder / "fail").touch()
    said = remote.push("main:feature/test")
    assert "No such thing." in said
    assert said[-1] == (
        "feature/test was pushed, but its run ended with code 11. "
        "Push a correction, or again: python -m sandbox rerun feature/test"
    )
    assert remote.push("main:feature/test") == [], "git has nothing to push"
    assert remote.push("main:refs/heads/$(id)")[-1].endswith("again: python -m sandbox rerun '$(id)'")
    remote.calls()
    assert remote.push(":refs/heads/$(id)")[-1] == (
        "$(id) was deleted, but its run ended with code 11. Again: deploytag destroy '$(id)'"
    )
    remote.calls()
    monkeypatch.setenv("DEPLOYTAG_SANDBOX", str(remote.layout.root))
    monkeypatch.setattr(record, "alive", lambda _: True)
    path = f"{remote.calls_folder.parent / 'bin'}:{os.environ['PATH']}"
    monkeypatch.setattr("sandbox.env.variables", lambda *_: {"PATH": path})
    monkeypatch.setattr("sandbox.hook._SIGNALS", ())  # this process is the test's
    assert hook.rerun("feature/test") == 11
    (remote.calls_folder / "fail").unlink()
    remote.calls()
    assert hook.rerun("feature/test") == 0
    assert list(remote.calls()) == ["refs/heads/feature/test"]
    assert b"is served at http://192.0.2.1\n" in capfdbinary.readouterr().out
    for unknown in ("feature/other", "--help"):
        with pytest.raises(SandboxError, match="has no branch or tag"):
            hook.rerun(unknown)
    monkeypatch.setattr(record, "alive", lambda _: None)
    with pytest.raises(SandboxError, match="The sandbox is down"):
        hook.rerun("feature/test")


def test_a_push_to_a_sandbox_that_is_down_is_refused(remote: Remote) -> None:
    remote.alive = False
    remote.ensure()
    assert remote.push("main:feature/test", code=1) == [
        "The sandbox is down, so nothing would be deployed. Start it with `make up`, then push again."
    ]
    assert remote.checkout.git("ls-remote", "sandbox") == ""


def test_a_clone_that_is_gone_is_a_sentence(remote: Remote) -> None:
    git_remote.ensure(remote.layout, ["/nonexistent/python", "-m", "sandbox.hook"])
    assert remote.push("main:feature/test", code=1)[0].startswith(
        "The clone that the sandbox was started from is gone."
    )


def test_a_checkout_without_history_may_push(remote: Remote, tmp_path: Path) -> None:
    remote.checkout.commit()
    shallow = Checkout(tmp_path / "shallow")
    remote.checkout.git("clone", "-q", "--depth=1", f"file://{remote.checkout.path}", str(shallow.path))
    shallow.git("remote", "add", "sandbox", str(remote.layout.repository))
    remote.checkout = shallow
    remote.push("main:feature/test")
    assert remote.calls()["refs/heads/feature/test"]["commit"] == shallow.git("rev-parse", "HEAD")


def test_its_default_branch_is_the_clones_commit_and_then_follows_its_main(remote: Remote, tmp_path: Path) -> None:
    def main() -> str:
        return remote.checkout.git("ls-remote", "sandbox", "refs/heads/main").partition("\t")[0]

    source = remote.checkout
    (tmp_path / "no clone").mkdir()
    git_remote.ensure_default_branch(remote.layout, tmp_path / "no clone")
    assert main() == ""
    source.git("switch", "-q", "--detach")
    detached = source.commit()
    git_remote.ensure_default_branch(remote.layout, source.path)
    assert main() == detached
    source.git("switch", "-q", "-c", "feature/test")
    source.commit()
    git_remote.ensure_default_branch(remote.layout, source.path)
    assert main() == detached, "another branch does not move it, nor does a main that is behind"
    source.git("branch", "-f", "main")
    git_remote.ensure_default_branch(remote.layout, source.path)
    assert main() == source.git("rev-parse", "main")
    source.git("switch", "-q", "--orphan", "elsewhere")
    source.commit()
    before = main()
    source.git("branch", "-f", "main")
    git_remote.ensure_default_branch(remote.layout, source.path)
    assert main() == before
    assert remote.calls() == {}, "no hook ran"


def test_making_it_again_changes_nothing(remote: Remote) -> None:
    commit = remote.checkout.commit()
    remote.push("main:feature/test")
    hooks = remote.layout.repository / "hooks"
    before = {path: path.stat().st_ino for path in hooks.iterdir()}
    assert {path.name for path in before} == {"pre-receive", "post-receive"}
    remote.ensure()
    assert {path: path.stat().st_ino for path in hooks.iterdir()} == before
    assert commit in remote.checkout.git("ls-remote", "sandbox", "feature/test")


def test_the_hook_finds_the_sandbox_from_any_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its directory, its settings and its clone are those that `up` had."""
    monkeypatch.setenv("DEPLOYTAG_SANDBOX_SUBNET", "10.9.8.0/24; id")
    monkeypatch.setenv("DEPLOYTAG_CACHE", str(tmp_path))
    text = git_remote.hook(Layout(tmp_path / "it's"), "post-receive", ["/bin/sh", "-c", "env"])
    shown = subprocess.run(["/bin/sh", "-c", text], capture_output=True, text=True, check=True, env={"PATH": "/bin"})
    values = dict(line.split("=", 1) for line in shown.stdout.splitlines())
    assert values["DEPLOYTAG_SANDBOX"] == str(tmp_path / "it's")
    assert values["DEPLOYTAG_SANDBOX_SUBNET"] == "10.9.8.0/24; id"
    assert values["DEPLOYTAG_CACHE"] == str(tmp_path)
    assert Path(values["PYTHONPATH"], "sandbox", "hook.py").is_file()
    assert f"exec {sys.executable} -P -m sandbox.hook pre-receive\n" in git_remote.hook(Layout(tmp_path), "pre-receive")


def test_reading_what_git_says() -> None:
    lines = [
        f"{ZERO} {A} refs/heads/new\n",
        f"{A} {B} refs/tags/moved\n",
        f"{A} {ZERO} refs/heads/gone\n",
        f"{ZERO} {ZERO} refs/heads/never-there\n",
        f"{ZERO} {A} refs/notes/commits\n",
        f"{ZERO} {A} refs/heads/refs/heads/x\n",
    ]
    found = hook.parse(line.encode() for line in lines)
    assert found == [
        Update(ZERO, A, "refs/heads/new"),
        Update(A, B, "refs/tags/moved"),
        Update(A, ZERO, "refs/heads/gone"),
        Update(ZERO, A, "refs/heads/refs/heads/x"),
    ]
    assert [update.deletes for update in found] == [False, False, True, False]


@pytest.mark.parametrize("ref", ["feature/test", "", "///", "ä", "x" * 300, "a/../../b"])
def test_a_slug_is_part_of_a_file_s_name(ref: str) -> None:
    assert push.slug(ref).replace("-", "").isalnum()
    assert 0 < len(push.slug(ref)) <= 40
