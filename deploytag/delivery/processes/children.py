"""Runs the commands of a run, so that everything they start is held, and ended when it has to be.

`deploytag.delivery.processes.keeper` says how. Here is the wrapper's end of it.
"""

import json
import os
import selectors
import shlex
import socket
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from deploytag.delivery.processes.cancellation import Cancellation
from deploytag.delivery.processes.keeper import STUCK
from deploytag.delivery.processes.leftovers import Ended, end_all, leftovers, show_mark, stuck
from deploytag.delivery.processes.lines import Lines
from deploytag.delivery.run import MARK, Run
from deploytag.errors import BusyError, InterruptedRunError, LeftoverError, UnreachableError
from deploytag.redaction import redact

GRACE = 60.0
"""Seconds a command has to end after its one signal."""

LINGER = 5.0
"""Seconds that what a command started may outlive it; an engine's plugins end themselves a moment after it."""

CHUNK = 1 << 16
"""Bytes of output that are read at once."""


class CannotStartError(UnreachableError):
    """A command cannot be started. `reason` is the system's word."""

    def __init__(self, command: str, cwd: Path, reason: str) -> None:
        self.reason = reason
        super().__init__(
            f"`{command}` cannot be started in {cwd}: {reason}. `deploytag doctor` says which tools are missing."
        )


class Deadline(Protocol):
    """A lease, as far as commands need it."""

    def on_renewed(self, callback: Callable[[float], None]) -> None:
        """Call `callback` with the time by which everything has to be gone: at once, and whenever that has changed.

        In any thread, and never with an older one after a newer. In seconds of CLOCK_BOOTTIME.
        """


class Stop(StrEnum):
    """Why a command was told to end."""

    INTERRUPT = "interrupt"
    """The cancellation was requested."""
    TIMEOUT = "timeout"


@dataclass(frozen=True, slots=True)
class Finished:
    """How a command ended. Everything it had started is gone by now."""

    code: int
    """The exit code; negative for the signal that ended it."""
    output: str
    """Standard output and errors together, or as much of their end as `Lines` keeps. Empty if inherited."""
    stopped: Stop | None = None
    """Why it got its one signal; None: it ended by itself."""
    ended: tuple[Ended, ...] = ()
    """What had not ended by itself in the time it had, and was killed."""


@dataclass(frozen=True)
class _Report:
    """The keeper's last message."""

    code: int
    failure: int | None
    why: str | None
    asked: str | None
    killed: list[tuple[int, str]]
    left: list[tuple[int, str]]


class Children:
    """Runs commands of which nothing stays: not when they end, nor when this process does, nor past the lease.

    Several threads may each run one at the same time.
    """

    def __init__(
        self,
        run: Run | None,
        environ: Mapping[str, str],
        lease: Deadline | None = None,
        *,
        grace: float = GRACE,
        linger: float = LINGER,
    ) -> None:
        """No `run` and no `lease`: commands that change no environment, such as tests."""
        self._id = run.id if run else uuid4().hex
        self._environ = environ
        self._deadline: float | None = None
        self._grace = grace
        self._linger = linger
        self._controls: set[socket.socket] = set()
        self._telling = threading.Lock()
        self.killed = False
        """Whether a command did not end by itself: what it was doing and what it held may be left as it was."""
        self.stuck = False
        """Whether something that a command started could not be ended, and is still there."""
        self._unmark: Callable[[], object] = (
            weakref.finalize(self, os.close, show_mark(run.id)) if run else lambda: None
        )
        if lease:
            lease.on_renewed(self._renewed)

    def run(
        self,
        command: Sequence[str],
        *,
        cwd: Path,
        environ: Mapping[str, str] | None = None,
        on_line: Callable[[str], None] | None = None,
        on_pid: Callable[[int], None] | None = None,
        cancellation: Cancellation | None = None,
        timeout: float | None = None,
        inherit: bool = False,
    ) -> Finished:
        """Run a command to its end, and to that of everything it started.

        `environ` is instead of the one that all commands get. `on_line` gets each line of the output, without its end,
        as it comes; with `inherit` input and output are this process's own. `on_pid` is called before the program
        begins, and if it raises the program never does. When the cancellation is requested, or after `timeout` seconds,
        the command gets one signal (SIGINT or SIGTERM) and some time to end, after which everything is killed.

        Raises:
            CannotStartError: there is no such program or directory.
            BusyError: the lease was not renewed in time, so everything was ended.
            InterruptedRunError: the run was cancelled before the program began, or whoever held it was killed.
            LeftoverError: something it started cannot be ended.
        """
        name = shlex.join(command[:2])
        lines = Lines(on_line)
        _check(cancellation, name)
        with self._keeper(command, cwd, self._environ if environ is None else environ, inherit) as (keeper, control):
            ask = cancellation.telling(lambda: _send(control, {"ask": True})) if cancellation else nullcontext()
            with self._renewing(control), ask:
                begun = _receive(control)
                if begun and on_pid:
                    on_pid(begun["pid"])
                _check(cancellation, name)
                go = {"go": True, "timeout": timeout, "grace": self._grace, "linger": self._linger}
                # Without it the keeper would wait for as long as the lease is renewed.
                _send(control, go, wait=True)
                report = None
                try:
                    report = _follow(keeper, control, lines)
                finally:
                    self._note(begun, report)
            keeper.wait()
            if keeper.returncode and not report:
                self._end_all()
            _drain(keeper, lines)
        if report and report.failure is not None:
            raise CannotStartError(command[0], cwd, os.strerror(report.failure))
        return _finished(report, lines, name)

    def close(self) -> None:
        """Show no longer that this process makes the run: the run is over, and this process may go on with another."""
        self._unmark()

    def _note(self, begun: dict[str, Any] | None, report: _Report | None) -> None:
        """Take down how a command ended."""
        if report is None:
            self.killed = True
        elif report.failure is None:
            ended = {pid for pid, _ in (*report.killed, *report.left)}
            self.killed |= report.code < 0 or begun is None or begun["pid"] in ended
            self.stuck |= bool(report.left)

    def _end_all(self) -> None:
        """End what the guard could not: only the mark is left to go by. The run is over, so all of it has to go."""
        try:
            end_all(lambda: leftovers(self._id), STUCK)
        except LeftoverError:
            self.stuck = True
            raise

    @contextmanager
    def _keeper(
        self, command: Sequence[str], cwd: Path, environ: Mapping[str, str], inherit: bool
    ) -> Iterator[tuple[subprocess.Popen[bytes], socket.socket]]:
        """A keeper of the command, and the socket to talk to it. Afterwards both are gone, with all that it held."""
        # Each message arrives whole or not at all, whichever thread or signal handler sends it.
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours:
            try:
                with theirs:
                    keeper = subprocess.Popen(
                        [
                            sys.executable,
                            "-I",
                            "-m",
                            "deploytag.delivery.processes.keeper",
                            str(theirs.fileno()),
                            *command,
                        ],
                        cwd=cwd,
                        env={**environ, MARK: self._id},
                        pass_fds=[theirs.fileno()],
                        stdin=None if inherit else subprocess.DEVNULL,
                        stdout=None if inherit else subprocess.PIPE,
                        stderr=None if inherit else subprocess.STDOUT,
                        bufsize=0,
                        start_new_session=True,  # a terminal's Ctrl-C is for the wrapper alone
                    )
            except OSError as error:
                raise CannotStartError(command[0], cwd, error.strerror or str(error)) from None
            try:
                yield keeper, ours
            finally:
                ours.close()  # if anything is left, this ends it
                keeper.wait()
                if keeper.stdout:
                    keeper.stdout.close()

    @contextmanager
    def _renewing(self, control: socket.socket) -> Iterator[None]:
        """Tell the keeper the lease's deadline, now and whenever it changes."""
        with self._telling:
            self._controls.add(control)
            if self._deadline is not None:
                _send(control, {"deadline": self._deadline})
        try:
            yield
        finally:
            with self._telling:
                self._controls.remove(control)

    def _renewed(self, deadline: float) -> None:
        with self._telling:
            self._deadline = deadline
            for control in self._controls:
                _send(control, {"deadline": deadline})


def _check(cancellation: Cancellation | None, name: str) -> None:
    if cancellation and cancellation.requested:
        raise InterruptedRunError(f"`{name}` was not started: the run was stopped ({cancellation.reason}).")


def _send(control: socket.socket, message: Mapping[str, object], *, wait: bool = False) -> None:
    """Say something to a keeper, which may be gone. Needs no lock.

    Unless it is to `wait` until there is room, it never blocks, and is lost on a keeper that has not read hundreds of
    messages before: of deadlines, those that are lost are the later ones.
    """
    with suppress(OSError):
        control.send(json.dumps(message).encode(), 0 if wait else socket.MSG_DONTWAIT)


def _receive(control: socket.socket) -> dict[str, Any] | None:
    """What the keeper says; None: it is gone."""
    while True:
        try:
            message: dict[str, Any] | None = json.loads(control.recv(1 << 16) or "null")
        except ConnectionResetError:
            continue  # it went before it had read everything; what it said is still to come
        return message


def _follow(keeper: subprocess.Popen[bytes], control: socket.socket, lines: Lines) -> _Report | None:
    """Tell the output as it comes, until the keeper reports. None: it was killed."""
    with selectors.DefaultSelector() as selector:
        selector.register(control, selectors.EVENT_READ)
        if keeper.stdout:
            selector.register(keeper.stdout, selectors.EVENT_READ)
        while True:
            ready = {key.fileobj for key, _ in selector.select()}
            if keeper.stdout and keeper.stdout in ready:
                if chunk := keeper.stdout.read(CHUNK):
                    lines.feed(chunk)
                else:
                    selector.unregister(keeper.stdout)
            if control in ready:
                message = _receive(control)
                return _Report(**message) if message else None


def _drain(keeper: subprocess.Popen[bytes], lines: Lines) -> None:
    """Tell what is left in the pipe. Its end is not waited for: whoever wrote is gone, but may have given it away."""
    if keeper.stdout:
        os.set_blocking(keeper.stdout.fileno(), False)
        while chunk := keeper.stdout.read(CHUNK):
            lines.feed(chunk)
    lines.close()


def _finished(report: _Report | None, lines: Lines, name: str) -> Finished:
    if report is None or report.why == "guard":
        raise InterruptedRunError(
            f"The process that held `{name}` has ended, as if it were killed. Everything that the command had started "
            f"was ended too. Run the same again.\n{redact(lines.text)[-2000:]}".rstrip()
        )
    if report.left:
        raise stuck(Ended(*process) for process in report.left)
    if report.why == "deadline":
        raise BusyError(
            f"The lease of the environment was not renewed in time, so `{name}` and everything it had started were "
            "ended: another run may be working on the environment. Run the same again."
        )
    return Finished(
        code=report.code,
        output=lines.text,
        stopped=Stop(report.asked) if report.asked else None,
        ended=tuple(Ended(*process) for process in report.killed),
    )
