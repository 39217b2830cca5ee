"""The hook and the crontab of a git server: real pushes to a bare repository; `deploytag.sh` tells of its calls."""

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from deploytag.delivery.initialise import Pipeline
from tests.unit.initialise.test_pipelines import text

TELLS = """\
#!/bin/sh
echo "called: $* | ${DEPLOYTAG_BRANCH-none} | $(cat content) | $GREETING | $DEPLOYTAG_REMOTE | $(git rev-parse HEAD)"
[ "$(cat content)" != broken ] || exit 12
[ "$(cat content)" != slow ] || echo finished > "$FIFO"
"""


class Server:
    """A bare repository with the hook, and a clone that pushes to it."""

    def __init__(self, folder: Path) -> None:
        self.repository, self.clone, self.fifo = folder / "shop.git", folder / "clone", folder / "fifo"
        self.environ = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(folder),
            **{f"GIT_{role}_{what}": "a@example.org" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
        }
        self.run("git", "init", "-q", "--bare", "-b", "main", str(self.repository), cwd=folder)
        self.run("git", "init", "-q", "-b", "main", str(self.clone), cwd=folder)
        self.run("git", "remote", "add", "server", str(self.repository))
        hook = self.repository / "hooks" / "post-receive"
        hook.parent.mkdir(exist_ok=True)
        os.mkfifo(self.fifo)
        self.deploytag = self.repository / "deploytag"
        self.deploytag.mkdir()
        (self.deploytag / "environment").write_text(f"GREETING='hello you'\nFIFO='{self.fifo}'\n")
        script = self.clone / "deploytag.sh"
        script.write_text(TELLS)
        script.chmod(0o755)
        self.main = self.commit("default")
        self.push("main")  # without the hook
        hook.write_text(text(".deploytag/post-receive", Pipeline.SHELL))
        hook.chmod(0o755)

    def run(self, *command: str, cwd: Path | None = None, check: bool = True) -> str:
        done = subprocess.run(
            command, cwd=cwd or self.clone, env=self.environ, capture_output=True, text=True, check=False, timeout=60
        )
        assert not check or done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    def commit(self, content: str) -> str:
        (self.clone / "content").write_text(content)
        self.run("git", "add", "--all")
        self.run("git", "commit", "-qm", "change", "--allow-empty")
        return self.run("git", "rev-parse", "HEAD").strip()

    def push(self, *refspecs: str) -> list[str]:
        """What the remote said."""
        said = self.run("git", "push", "server", *refspecs)
        return [line.removeprefix("remote: ").rstrip() for line in said.splitlines() if line.startswith("remote: ")]

    def checkouts(self) -> list[Path]:
        return list((self.deploytag / "checkouts").iterdir())


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


def calls(said: list[str]) -> list[str]:
    return [line for line in said if line.startswith("called:")]


def test_a_push_runs_the_pushed_commit_and_a_deletion_the_default_branch(server: Server) -> None:
    commit = server.commit("feature")
    said = server.push("HEAD:refs/heads/feature/a")
    log = re.fullmatch(r"Interrupting this does not stop the run; its log: (\S+)", said[0])
    assert log
    assert said[1:] == [f"called: ci | refs/heads/feature/a | feature | hello you | origin | {commit}"]
    assert Path(log[1]).read_text().splitlines() == said[1:]
    said = server.push(":refs/heads/feature/a")
    assert said[1:] == [f"called: ci | refs/heads/feature/a | default | hello you | origin | {server.main}"]
    assert server.checkouts() == []


def test_each_branch_of_a_push_is_run_also_after_one_that_failed(server: Server) -> None:
    server.commit("broken")
    server.run("git", "tag", "v1")
    said = server.push("HEAD:refs/heads/a", "HEAD:refs/heads/b", "v1", "HEAD~:refs/heads/c")
    assert [line.split(" | ")[1] for line in calls(said)] == ["refs/heads/a", "refs/heads/b", "refs/heads/c"]
    assert [line for line in said if "ended" in line] == [
        "deploytag: the run for a ended with code 12.",
        "deploytag: the run for b ended with code 12.",
    ]
    assert server.checkouts() == []


@pytest.mark.parametrize("name", ["$(touch${IFS}pwned)", "`touch${IFS}pwned`", ";touch${IFS}pwned", "'x'\"", "-h"])
def test_a_branchs_name_is_data(server: Server, tmp_path: Path, name: str) -> None:
    server.commit("feature")
    for refspec in (f"HEAD:refs/heads/x/{name}", f":refs/heads/x/{name}"):
        (called,) = calls(server.push(refspec))
        assert called.split(" | ")[1] == f"refs/heads/x/{name}"
    assert not list(tmp_path.rglob("pwned"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
def test_whoever_pushes_may_leave_and_the_run_goes_on(server: Server, number: signal.Signals) -> None:
    server.commit("slow")
    process = subprocess.Popen(
        ["git", "push", "server", "HEAD:refs/heads/a"],
        cwd=server.clone,
        env=server.environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    )
    assert process.stderr is not None
    log = next(line.split()[-1] for line in process.stderr if "its log:" in line)
    next(line for line in process.stderr if "called:" in line)
    os.killpg(process.pid, number)
    process.wait(timeout=30)
    # Whoever writes to a fifo waits for whoever reads: the run has waited there all the time.
    assert server.run("cat", str(server.fifo)) == "finished\n"
    assert "ended with code" not in Path(log).read_text()


def test_a_branch_without_the_script_is_said(server: Server) -> None:
    (server.clone / "deploytag.sh").unlink()
    commit = server.commit("feature")
    said = server.push("HEAD:refs/heads/a")
    assert said[1].startswith(f"deploytag: there is no deploytag.sh in {commit}, so nothing is done.")


def test_without_its_environment_it_says_what_is_missing(server: Server) -> None:
    (server.deploytag / "environment").unlink()
    server.commit("feature")
    (said,) = server.push("HEAD:refs/heads/a")
    assert "deploytag/environment is missing" in said


def cron(server: Server) -> dict[str, str]:
    """The crontab's commands by their hour and minute, run as cron would; what each printed, which cron would mail."""
    table = text(".deploytag/crontab", Pipeline.SHELL)
    settings = dict(re.findall(r"^([A-Z]+)=(.*)$", table, re.M))
    assert settings == {"SHELL": "/bin/sh", "REPOSITORY": "/srv/git/shop.git"}
    lines = re.findall(r"^(\d+) (\d+|\*) \* \* \* (.*)$", table, re.M)
    assert len(lines) == 2
    # Of a line of cron's, % is its end.
    assert not any("%" in command for *_, command in lines)
    server.environ["REPOSITORY"] = str(server.repository)
    return {hour: server.run("/bin/sh", "-c", command, cwd=Path("/")) for _, hour, command in lines}


def test_cron_runs_gc_and_sync_on_the_default_branch(server: Server) -> None:
    assert cron(server) == {"3": "", "*": ""}, "what succeeded is nobody's mail"
    end = f" | none | default | hello you | origin | {server.main}\n"
    assert (server.deploytag / "gc.log").read_text() == f"called: gc --yes{end}"
    assert (server.deploytag / "sync.log").read_text() == f"called: sync --all{end}"


def test_cron_mails_what_failed(server: Server) -> None:
    server.commit("broken")
    server.push("+HEAD:refs/heads/main")
    assert {hour: said.split(" | ")[0] for hour, said in cron(server).items()} == {
        "3": "called: gc --yes",
        "*": "called: sync --all",
    }


def test_what_killed_runs_left_is_taken_away_and_what_runs_is_not(server: Server) -> None:
    server.push("HEAD:refs/heads/a")
    (old, new) = (server.deploytag / "checkouts" / name for name in ("old", "new"))
    for folder in (old, new):
        (folder / "deep").mkdir(parents=True)
    two_days = new.stat().st_mtime - 2 * 86400
    os.utime(old, (two_days, two_days))
    cron(server)
    assert server.checkouts() == [new]


def test_both_are_what_their_readers_understand(tmp_path: Path) -> None:
    hook = tmp_path / "post-receive"
    hook.write_text(text(".deploytag/post-receive", Pipeline.SHELL))
    for shell in ("sh", "bash"):
        subprocess.run([shell, "-n", hook], check=True)
