"""Holds one command with everything it starts, so that all of it ends when it has to.

`deploytag.delivery.processes.children` starts this file: `python -I -m … CONTROL COMMAND...`.

Pulumi's plugins run in process groups of their own, and a daemon in a session of its own: killing a group or a session
leaves them alive, and a CI job may rarely make a cgroup. What every Linux process may do is to be the *subreaper* of
its descendants: whoever loses its parent becomes the subreaper's child, not init's. So nobody gets away, and when the
subreaper has no child left, nothing is left.

    wrapper -- guard -- keeper -- COMMAND -- whatever it starts

The keeper ends everything when the wrapper is gone, however it died, or when a limit has passed. The guard does the
same should the keeper be killed, and the keeper should the guard be; so no single death sets the command free.

CONTROL is a socket of JSON messages. The wrapper says `go`, `deadline` and `ask`; the keeper says the command's `pid`,
before the command runs, and at last how it ended. Times are seconds of CLOCK_BOOTTIME, which counts while the machine
is suspended. Nothing but a little of the standard library is imported: a run starts many of these.
"""

import contextlib
import ctypes
import json
import os
import select
import signal
import sys
import time
from collections.abc import Mapping

HEAD_START = 2.0
"""Seconds before the lease's deadline at which everything is ended: by the deadline it has to be gone."""

TICK = 0.5
"""Seconds between looks at the clock. A wait's own clock stands still while the machine is suspended."""

STUCK = 30.0
"""Seconds after which a process that does not go away is given up: it is somebody else's, or stuck in the kernel."""

_PR_SET_CHILD_SUBREAPER = 36


def now() -> float:
    """Seconds since boot, suspension included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Family:
    """Every process that this one started, and every one that those started since."""

    def __init__(self) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        one, unused = ctypes.c_ulong(1), ctypes.c_ulong(0)
        if libc.prctl(_PR_SET_CHILD_SUBREAPER, one, unused, unused, unused):
            raise OSError(ctypes.get_errno(), "this kernel has no child subreapers")
        self.codes: dict[int, int] = {}
        """Exit codes of children that have ended, by process id; negative for a signal."""
        self.changes, told = os.pipe()
        """Readable when a child has ended since the last `wait`."""
        os.set_blocking(self.changes, False)
        os.set_blocking(told, False)
        signal.set_wakeup_fd(told, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def reap(self) -> bool:
        """Collect the children that have ended. Whether any process is left: the kernel's word, no scan's."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if not pid:
                return True
            self.codes[pid] = os.waitstatus_to_exitcode(status)

    def wait(self, seconds: float, *others: int) -> set[int]:
        """Wait until a child has ended or one of the other files can be read; which of those can."""
        poller = select.poll()
        for file in (self.changes, *others):
            poller.register(file, select.POLLIN)
        ready = {file for file, _ in poller.poll(1000 * max(0, seconds))}
        if self.changes in ready:
            os.read(self.changes, 4096)
        return ready - {self.changes}

    def end(self, patience: float = STUCK) -> tuple[dict[int, str], dict[int, str]]:
        """Kill until none is left. Returns who was killed and who, for `patience` seconds, could not be: ids and names.

        Only children are killed: their own become our children by that, and nobody but us reaps a child, so its id
        cannot have become somebody else's meanwhile.
        """
        killed: dict[int, str] = {}
        seen: set[int] = set()
        progress = now()
        while self.reap():
            children = _children()
            for pid, name in children.items():
                with contextlib.suppress(PermissionError):  # it became another user's
                    os.kill(pid, signal.SIGKILL)
                    killed.setdefault(pid, name)
            if not seen.issuperset(children):
                progress = now()
            elif now() > progress + patience:
                left = children or {0: "a hidden process"}
                return {pid: name for pid, name in killed.items() if pid not in left}, left
            seen.update(children)
            self.wait(TICK / 5)
        return killed, {}


def _children() -> dict[int, str]:
    """The names of this process's children that have not ended."""
    found = {}
    parent = str(os.getpid()).encode()
    for pid in filter(str.isdecimal, os.listdir("/proc")):  # noqa: PTH208 - pathlib takes long to import
        with contextlib.suppress(OSError), open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123
            stat = file.read()
            name = stat[stat.index(b"(") + 1 : stat.rindex(b")")]  # whatever the program likes, parentheses too
            state, parent_of_it = stat[stat.rindex(b")") + 1 :].split()[:2]
            if parent_of_it == parent and state != b"Z":
                found[int(pid)] = name.decode(errors="replace")
    return found


class Keeper:
    """Starts the command when the wrapper says so, watches the limits, and reports."""

    def __init__(self, control: int, guard: int, command: list[str]) -> None:
        self.control = control
        self.guard = guard
        self.family = Family()
        self.pid, self.go, self.failure = _prepare(command)
        self.grace = 0.0
        self.linger = 0.0
        self.asked: str | None = None
        """Why the command got its one signal."""
        self.limits: dict[str, float] = {}
        """When something has to happen, by what it is that makes it happen."""

    def hold(self) -> None:
        """Until everything has ended."""
        self.tell({"pid": self.pid})
        why = self.watch()
        killed, left = self.family.end()
        # Its other end was closed when the program began, or else when the process ended.
        failure = os.read(self.failure, 16) if self.pid in self.family.codes else b""
        self.tell(
            {
                "code": self.family.codes.get(self.pid, -signal.SIGKILL),
                "failure": int(failure) if failure else None,
                "why": why,
                "asked": self.asked,
                "killed": list(killed.items())[:100],
                "left": list(left.items())[:100],
            }
        )

    def watch(self) -> str | None:
        """Wait until nothing is left (None) or everything has to be ended: at which limit, or without whom."""
        while self.family.reap():
            if self.pid in self.family.codes:  # plugins end by themselves when the engine has
                self.limits.setdefault("linger", now() + self.linger)
            what, when = min(self.limits.items(), key=lambda limit: limit[1], default=("", now() + TICK))
            if when > now():
                ready = self.family.wait(min(when - now(), TICK), self.control, self.guard)
                if self.guard in ready:
                    return "guard"
                if self.control in ready and not self.listen():
                    return "wrapper"
            elif what == "timeout":
                del self.limits["timeout"]
                self.ask("timeout", signal.SIGTERM)
            else:
                return what
        return None

    def listen(self) -> bool:
        """Do what the wrapper says. Whether it is still there."""
        try:
            message = os.read(self.control, 4096)
        except ConnectionResetError:  # it went without having read what it was told
            return False
        match json.loads(message or "null"):
            case {"go": True, "timeout": timeout, "grace": grace, "linger": linger}:
                self.grace, self.linger = grace, linger
                if timeout is not None:
                    self.limits["timeout"] = now() + timeout
                with contextlib.suppress(BrokenPipeError):  # killed before it could begin
                    os.write(self.go, b"!")
            case {"deadline": deadline}:
                self.limits["deadline"] = deadline - HEAD_START
            case {"ask": True}:
                self.ask("interrupt", signal.SIGINT)
        return bool(message)

    def ask(self, why: str, number: signal.Signals) -> None:
        """Send the command the one signal it ever gets: Pulumi takes a second one for an order to stop half-way."""
        if self.asked is None and self.pid not in self.family.codes:
            self.asked = why
            self.limits["grace"] = now() + self.grace
            os.kill(self.pid, number)  # not reaped yet, so the id is still its own

    def tell(self, message: Mapping[str, object]) -> None:
        """Say something to the wrapper, if it is still there."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            os.write(self.control, json.dumps(message).encode())


def _prepare(command: list[str]) -> tuple[int, int, int]:
    """A process that is going to be the command: its id, a pipe that starts it, and one that says why it could not."""
    go, starter = os.pipe()
    failure, failed = os.pipe()
    pid = os.fork()
    if pid:
        os.close(go)
        os.close(failed)
        return pid, starter, failure
    try:
        os.close(starter)
        os.setsid()  # some programs end with a signal to their whole group, which must not be ours
        if os.read(go, 1):
            # Whatever the wrapper ignores or blocks, the command shall see the signals that are meant for it.
            for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
                with contextlib.suppress(OSError):  # the C library keeps some for itself
                    signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, [])
            os.execvp(command[0], command)  # noqa: S606 - there is no shell on purpose
    except OSError as error:
        os.write(failed, str(error.errno).encode())
    finally:
        os._exit(127)


def main() -> None:
    """Be the guard, and start the keeper."""
    control, command = int(sys.argv[1]), sys.argv[2:]
    os.set_inheritable(control, False)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # no traceback; then the other one ends everything
    family = Family()
    watched, alive = os.pipe()
    keeper = os.fork()
    if keeper:
        os.close(control)
        os.close(watched)
        os.waitpid(keeper, 0)
        _, left = family.end()
        sys.exit(bool(left))
    else:
        os.close(alive)
        Keeper(control, watched, command).hold()


if __name__ == "__main__":
    main()
