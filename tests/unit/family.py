"""What the tests of `deploytag.delivery.processes.children` run: `python -m tests.unit.family daemon|patient FIFO`.

Each process that it makes keeps the pipe open, so the pipe's end says that all of them are gone.
"""

import os
import select
import signal
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from deploytag.delivery.processes.keeper import now

ROOT = Path(__file__).parents[2]
PATIENCE = 60
"""Seconds after which a test gives up on what should happen within milliseconds: the machine may be busy."""


def command(what: str, pipe: Path) -> list[str]:
    """A member of the family, to be started in `ROOT`."""
    return [sys.executable, "-m", "tests.unit.family", what, str(pipe)]


class Pipe:
    """Hears what the family says, and its end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._heard = b""

    def __enter__(self) -> Self:
        os.mkfifo(self.path)
        self._file = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        self._poller = select.poll()
        self._poller.register(self._file, select.POLLIN)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        os.close(self._file)

    def hear(self, *words: str) -> None:
        """Wait until each word has been said once more."""
        wanted = sorted(words)
        while sorted(self._heard.decode().split()) != wanted:
            assert self._read(), f"{wanted} expected, and {self._heard!r} heard, when nobody was left"
        self._heard = b""

    def end(self) -> list[str]:
        """Wait until everybody is gone; what was said meanwhile."""
        while self._read():
            pass
        return self._heard.decode().split()

    def _read(self) -> bool:
        assert self._poller.poll(PATIENCE * 1000), f"nothing happened for {PATIENCE} s after {self._heard!r}"
        chunk = os.read(self._file, 4096)
        self._heard += chunk
        return bool(chunk)


def gone(*processes: psutil.Process) -> bool:
    """Wait until processes have ended."""
    return not psutil.wait_procs(processes, timeout=PATIENCE)[1]


def _daemon(say: int) -> None:
    """A command with a child in a process group of its own, and a daemon without a parent in its own session."""
    if os.fork() == 0:
        os.setpgid(0, 0)
        os.write(say, b"plugin\n")
        time.sleep(600)
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            while os.getppid() == os.getsid(0):
                time.sleep(0.01)
            os.write(say, b"daemon\n")
            time.sleep(600)
        os._exit(0)
    os.wait()
    os.write(say, b"command\n")
    print("up", flush=True)
    time.sleep(600)


def _patient(say: int) -> None:
    """Says which signals come, and ends when a file `release` appears beside the pipe."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: os.write(say, f"{signal.Signals(number).name}\n".encode()))
    print("up", flush=True)
    release = Path(sys.argv[2]).with_name("release")
    while not release.exists():
        time.sleep(0.01)


def _until(_: int) -> None:
    """Ends at a time since boot."""
    while now() < float(sys.argv[3]):
        time.sleep(0.01)


if __name__ == "__main__":
    pipe = os.open(sys.argv[2], os.O_WRONLY)
    {"daemon": _daemon, "patient": _patient, "until": _until}[sys.argv[1]](pipe)
