"""Ends a running `deploytag` command as machines do: all of it at once, its first process only, or by a long pause."""

import itertools
import os
import signal
import subprocess
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

import psutil

V1 = Path("/sys/fs/cgroup/freezer")
V2 = Path("/sys/fs/cgroup")
GROUP = "deploytag-e2e-"


@dataclass
class Victim:
    """A command in a control group of its own."""

    process: subprocess.Popen[str]
    group: Path
    output: list[str]

    def after(self, events: int) -> bool:
        """Wait until the engine has said so many things; False when the command ended before."""
        seen = itertools.count(1)

        def is_last(line: str) -> bool:
            # `--verbose` says one line for each event of the engine, after the time.
            words = line.split()
            return len(words) > 2 and words[2] in ("begun", "done", *CHANGED) and next(seen) == events

        return self._until(is_last)

    def says(self, text: str) -> bool:
        """Wait until a line of its output holds the text; False when the command ended before."""
        return self._until(lambda line: text in line)

    def _until(self, wanted: Callable[[str], bool]) -> bool:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output.append(line)
            if wanted(line):
                return True
        return False

    def signal_until(self, number: signal.Signals, text: str) -> bool:
        """Send the command's own process a signal again and again, as an impatient CI does, until it says the text."""
        heard = Event()

        def send() -> None:
            # Often: on a quick machine everything has ended a tenth of a second after the first.
            while not heard.wait(0.01):
                self.process.send_signal(number)

        sender = Thread(target=send)
        self.process.send_signal(number)
        sender.start()
        try:
            return self.says(text)
        finally:
            heard.set()
            sender.join()

    def kill_all(self) -> None:
        """The runner dies: every process at the same moment."""
        self._signal_all(signal.SIGKILL)
        self.wait()

    def kill_wrapper(self) -> None:
        """Only the command's own process dies."""
        self.process.kill()
        self.wait()

    def stop(self) -> None:
        """Everything stops for a while, as on a machine that is suspended."""
        self._signal_all(signal.SIGSTOP)

    def resume(self) -> None:
        """What still is there goes on."""
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, number: signal.Signals) -> None:
        # Frozen meanwhile, so that nobody reacts to another one's end, or starts a process that is not in the list.
        self._freeze(True)
        try:
            for pid in self.pids():
                os.kill(pid, number)
        finally:
            self._freeze(False)

    def _freeze(self, frozen: bool) -> None:
        if unified():
            (self.group / "cgroup.freeze").write_text("1" if frozen else "0")
        else:
            (self.group / "freezer.state").write_text("FROZEN" if frozen else "THAWED")

    def pids(self) -> list[int]:
        return [int(pid) for pid in (self.group / "cgroup.procs").read_text().split()]

    def wait(self) -> int:
        """The end of the command itself; its output goes on being read, or it would wait for that."""
        assert self.process.stdout is not None
        reader = Thread(target=lambda: self.output.extend(self.process.stdout or ()), daemon=True)
        reader.start()
        code = self.process.wait(120)
        reader.join(10)
        return code

    def gone(self, seconds: float = 60) -> bool:
        """Whether everything it started is gone, waiting for it."""
        # They may end while they are looked for: psutil's own list passes over those.
        pids = set(self.pids())
        processes = [process for process in psutil.process_iter() if process.pid in pids]
        return not psutil.wait_procs(processes, timeout=seconds)[1] and not self.pids()


CHANGED = ("made", "changed", "replaced", "removed", "failed", "took")


def unified() -> bool:
    """Whether this machine has version 2 of control groups."""
    return (V2 / "cgroup.controllers").exists()


def remove_abandoned(root: Path) -> None:
    """Take away the groups that tests left which were killed themselves: the machine is to be as it was."""
    for group in root.glob(f"{GROUP}*"):
        owner = group.name.removeprefix(GROUP).partition("-")[0]
        if not (owner.isdecimal() and psutil.pid_exists(int(owner))):
            with suppress(OSError):  # something of it lives, or another test was faster
                group.rmdir()


@contextmanager
def victim(command: list[str], cwd: Path, environ: Mapping[str, str]) -> Iterator[Victim]:
    """Start a command; whatever of it still lives at the end is killed."""
    root = V2 if unified() else V1
    remove_abandoned(root)
    group = root / f"{GROUP}{os.getpid()}-{uuid.uuid4().hex[:8]}"
    group.mkdir()
    process = subprocess.Popen(
        # The shell enters the group and becomes the command.
        ["/bin/sh", "-c", 'echo $$ > "$0" && exec "$@"', str(group / "cgroup.procs"), *command],
        cwd=cwd,
        env={**environ, "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    it = Victim(process, group, [])
    try:
        yield it
    finally:
        if it.pids():
            it.kill_all()
        assert it.gone()
        group.rmdir()
