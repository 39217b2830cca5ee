"""A wrapper for tests to kill and to stop: `python -m tests.unit.wrapper LEASE COMMAND...`.

Says on standard output: its run's id, what the command says, which signals came too late to count, and at last how it
went. LEASE is `held`; `lost` stops the wrapper for good when the command first says something, shortly before the
deadline; `again` starts the command again and again.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil

from deploytag.delivery.processes.cancellation import Cancellation, cancel_on_signals
from deploytag.delivery.processes.children import Children
from deploytag.delivery.processes.keeper import HEAD_START, now
from deploytag.delivery.run import Action, Run
from deploytag.errors import DeployTagError
from tests.unit.family import PATIENCE, ROOT


@dataclass
class FakeLease:
    """A lease whose deadline the test decides."""

    deadline: float = field(default_factory=lambda: now() + 3600)
    callbacks: list[Callable[[float], None]] = field(default_factory=list)

    def on_renewed(self, callback: Callable[[float], None]) -> None:
        self.callbacks.append(callback)
        callback(self.deadline)

    def renew(self, deadline: float) -> None:
        self.deadline = deadline
        for callback in self.callbacks:
            callback(deadline)


class Wrapper:
    """A wrapper of its own, which a test may kill and stop."""

    def __init__(self, kind: str, *command: str, environ: Mapping[str, str] = os.environ) -> None:
        # A session of its own, as a terminal's foreground job is a group of its own.
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "tests.unit.wrapper", kind, *command],
            cwd=ROOT,
            env=dict(environ),
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.process = psutil.Process(self.popen.pid)
        run = Run.start(Action.DEPLOY, None)
        self.run = replace(run, id=self.line(), pid=self.popen.pid)

    def line(self) -> str:
        assert self.popen.stdout
        return self.popen.stdout.readline().rstrip("\n")

    def held(self) -> list[psutil.Process]:
        """Everything it has started, keepers included."""
        return self.process.children(recursive=True)

    def stop(self) -> None:
        """Stop it with all that it has started, itself first."""
        for process in [self.process, *self.held()]:
            process.suspend()

    def wait(self) -> int:
        return self.popen.wait(PATIENCE)

    def close(self) -> None:
        self.popen.kill()
        self.popen.communicate()


def say(text: str) -> None:
    os.write(1, f"{text}\n".encode())


def main(kind: str, command: list[str]) -> None:
    run = Run.start(Action.DEPLOY, None)
    lease = FakeLease()
    children = Children(run, os.environ, lease)

    def on_line(line: str) -> None:
        say(line)
        if kind == "lost":
            lease.renew(now() + HEAD_START + 0.2)
            os.kill(os.getpid(), signal.SIGSTOP)

    say(run.id)
    try:
        with cancel_on_signals(Cancellation(), lambda number: say(f"again {number.name}")) as cancellation:
            while True:
                finished = children.run(command, cwd=Path.cwd(), on_line=on_line, cancellation=cancellation)
                if kind != "again":
                    break
        say(f"{finished.code} {finished.stopped} {cancellation.reason}")
    except DeployTagError as error:
        say(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
