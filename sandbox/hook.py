"""What the git remote's hooks do: refuse a push that could lead to nothing; start what one calls for, and show it."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from sandbox import paths, record
from sandbox.errors import SandboxError
from sandbox.git import git
from sandbox.layout import Layout
from sandbox.push import Delivery, Push, slug

# The clone whose code this is.
SOURCE = Path(__file__).parent.parent
LOGS_KEPT = 200
_PREFIXES = ("refs/heads/", "refs/tags/")
# What must not reach the run: the push's own git variables, what would name another branch, policy or code.
_FOREIGN = re.compile(
    r"GIT_.*|CI|CI_.*|GITHUB_.*|GITLAB_.*|JENKINS_.*|BUILDKITE.*|DEPLOYTAG_(BRANCH|POLICY|REVISION|RUN)|PYTHON.*|VIRTUAL_ENV"
)


@dataclass(frozen=True)
class Update:
    """One line of what git tells a hook."""

    old: str
    new: str
    ref: str

    @property
    def deletes(self) -> bool:
        """Whether the ref is gone now."""
        return not self.new.strip("0")

    @property
    def empty(self) -> bool:
        """Whether something was deleted that was never there, which git only warns of."""
        return not (self.old + self.new).strip("0")


def parse(lines: Iterable[bytes]) -> list[Update]:
    """What was pushed, branches and tags only. Names are whatever bytes git allows."""
    updates = [Update(*os.fsdecode(line).rstrip("\n").split(" ", 2)) for line in lines]
    return [update for update in updates if update.ref.startswith(_PREFIXES) and not update.empty]


def post_receive(layout: Layout, updates: Sequence[Update], out: BinaryIO) -> int:
    """Start a run for what was pushed, and show what it says until it ends; how it ended.

    Raises:
        SandboxError: the sandbox is down.
    """
    if not updates:
        return 0
    check_running(layout)
    deliveries = [_delivery(layout, update) for update in updates]
    _forget_old_logs(layout)
    for delivery in deliveries:
        Path(delivery.log).touch()
    push = Push(str(layout.repository), str(layout.checkouts), tuple(deliveries))
    # A file, not an argument: Linux starts no program with one of more than 128 KiB, and a push may have many refs.
    with Path(deliveries[0].log).open("ab") as complaints, tempfile.TemporaryFile("w+") as told:
        told.write(push.dump())
        told.seek(0)
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "sandbox.push"],
            cwd=layout.root,
            env=environment(layout) | {"PYTHONPATH": str(SOURCE)},
            stdin=told,
            stdout=subprocess.DEVNULL,
            stderr=complaints,
            # Not the pusher's terminal, nor its process group: it goes on without them.
            start_new_session=True,
        )
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    # Not before: whoever would read it may be gone already.
    for update, delivery in zip(updates, deliveries, strict=True):
        _say(out, f"{delivery.name} {'is deleted' if update.deletes else f'is at {update.new[:12]}'}")
    _say(out, f"Interrupting this does not stop the run; its log: {', '.join(one.log for one in deliveries)}")
    follow(process, deliveries, out)
    return process.wait()


def check_running(layout: Layout) -> None:
    """Refuse what nothing could come of.

    Raises:
        SandboxError: the sandbox is down.
    """
    if record.alive(layout.root) is None:
        raise SandboxError(
            "The sandbox is down, so nothing would be deployed. Start it with `make up`, then push again."
        )


def environment(layout: Layout) -> dict[str, str]:
    """What the run is given: that of `python -m sandbox env`, and the pusher's without what git or a CI has set."""
    from sandbox import config, env  # noqa: PLC0415 - pydantic; the pre-receive hook can do without

    inherited = {name: value for name, value in os.environ.items() if not _FOREIGN.fullmatch(name)}
    toolchain = (layout.etc / "toolchain").resolve()
    return inherited | env.variables(config.load(layout.root), layout, toolchain, inherited)


def follow(process: subprocess.Popen[bytes], deliveries: Sequence[Delivery], out: BinaryIO) -> None:
    """Copy the logs as they grow, until the process has ended. More than one ref: each line says whose it is."""
    logs = [
        _Log(Path(delivery.log), os.fsencode(f"{delivery.name}: ") if len(deliveries) > 1 else b"")
        for delivery in deliveries
    ]
    while True:
        # Asked first: what is read after its end is everything.
        ended = process.poll() is not None
        for log in logs:
            out.writelines(log.lines(all_of_it=ended))
        out.flush()
        if ended:
            return
        # Growth of a file cannot be waited for without a library; the end of the process can.
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.05)


@dataclass
class _Log:
    """A file that grows, read line by line. It is not kept open: there may be more than a process may have open."""

    path: Path
    prefix: bytes
    offset: int = 0
    unfinished: bytes = b""

    def lines(self, *, all_of_it: bool) -> list[bytes]:
        """The lines that were finished since the last time; with `all_of_it` also one that has no end."""
        with self.path.open("rb") as file:
            file.seek(self.offset)
            content = file.read()
        self.offset += len(content)
        *lines, self.unfinished = (self.unfinished + content).split(b"\n")
        if all_of_it and self.unfinished:
            lines.append(self.unfinished)
        return [self.prefix + line + b"\n" for line in lines]


def rerun(ref: str) -> int:
    """Do again what a push of this branch or tag did; how it ended.

    Raises:
        SandboxError: the remote has no such ref, or the sandbox is down.
    """
    layout = Layout(paths.data())
    check_running(layout)
    for prefix in _PREFIXES:
        if tip := _tip(layout, f"{prefix}{ref}"):
            return post_receive(layout, [Update(tip, tip, f"{prefix}{ref}")], sys.stdout.buffer)
    raise SandboxError(f"The sandbox's git remote has no branch or tag {ref}. Push it: git push sandbox {ref}")


def _tip(layout: Layout, revision: str) -> str | None:
    with suppress(SandboxError):
        return git("rev-parse", "--verify", "--quiet", "--end-of-options", revision, cwd=layout.repository)
    return None


def _delivery(layout: Layout, update: Update) -> Delivery:
    commit = update.new
    if update.deletes:
        # The settings of the default branch say what may be destroyed; a repository may have none.
        commit = _tip(layout, "HEAD^{commit}") or update.old
    name = update.ref.split("/", 2)[2]
    log = layout.pushes / f"{time.strftime('%Y%m%d-%H%M%S')}-{slug(name)}-{uuid4().hex[:6]}.log"
    return Delivery(update.ref, commit, update.deletes, str(log))


def _forget_old_logs(layout: Layout) -> None:
    for old in sorted(layout.pushes.glob("*.log"))[:-LOGS_KEPT]:
        old.unlink(missing_ok=True)


def _say(out: BinaryIO, text: str) -> None:
    out.write(os.fsencode(f"{text}\n"))
    out.flush()


_SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


def _uninterrupted() -> None:
    """Nothing ends this until the run is started. Handled, not ignored: the run would inherit that, and ignore them."""
    for number in _SIGNALS:
        signal.signal(number, lambda *_: None)


def main(arguments: Sequence[str]) -> int:
    """One of the hooks."""
    _uninterrupted()
    layout = Layout(paths.data())
    try:
        if arguments == ["pre-receive"]:
            check_running(layout)
            return 0
        return post_receive(layout, parse(sys.stdin.buffer), sys.stdout.buffer)
    except SandboxError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except BrokenPipeError:
        # Whoever pushed is gone; the run is not. Python would complain of the pipe once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
