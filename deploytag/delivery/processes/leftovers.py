"""Finds what a run has left running on this machine, and ends it.

Whatever a run starts has `DEPLOYTAG_RUN=<run>` in its environment. The wrapper itself is older than its run, and what
/proc tells of a process's environment is as it began; so the wrapper shows the same text as the name of an open memory
file. A process id alone proves nothing: it may since have been given to another process.
"""

import os
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psutil

from deploytag.delivery.run import MARK, Run, this_machine
from deploytag.errors import LeftoverError


@dataclass(frozen=True, slots=True)
class Ended:
    """A process that had to be ended."""

    pid: int
    name: str
    """The program's name. Its arguments are not told: those of somebody else's program may be secret."""

    @classmethod
    def process(cls, process: psutil.Process) -> Self:
        """What to call a process that may just be ending."""
        try:
            return cls(process.pid, process.name())
        except psutil.Error:
            return cls(process.pid, "?")

    def __str__(self) -> str:
        return f"{self.name} (process {self.pid})"


def show_mark(run_id: str) -> int:
    """Open a file by which others see that this process makes the run; it ends with the process or with `os.close`."""
    return os.memfd_create(f"{MARK}={run_id}")


def leftovers(run_id: str) -> list[psutil.Process]:
    """Every process on this machine that the run has started, with its descendants.

    Processes of other users, whose environment may not be read, are left out unless they descend from one that may.
    """
    processes = list(psutil.process_iter())
    found = {process.pid: process for process in processes if _environ_says(process, run_id)}
    parents = {}
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            parents[process] = process.ppid()
    # Who has dropped the environment is still somebody's child.
    while more := [process for process, parent in parents.items() if parent in found and process.pid not in found]:
        found.update((process.pid, process) for process in more)
    return list(found.values())


def end_leftovers(run: Run, patience: float) -> list[Ended]:
    """End every process of an *expired* run, its wrapper too, and wait until they are gone.

    Nothing is done when the run was another machine's, or another process namespace's: they cannot be seen from here.

    Raises:
        LeftoverError: some are not gone after `patience` seconds.
    """
    if run.machine != this_machine():
        return []
    # The wrapper first, so that it starts nothing any more.
    return end_all(lambda: [*_wrapper(run), *leftovers(run.id)], patience)


def end_all(find: Callable[[], Iterable[psutil.Process]], patience: float) -> list[Ended]:
    """Kill what `find` finds until it finds nothing, sparing this process and those above it.

    Raises:
        LeftoverError: it still finds something after `patience` seconds.
    """
    ended: dict[int, Ended] = {}
    spared = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    until = time.monotonic() + patience
    while found := [process for process in find() if process.pid not in spared]:
        for process in found:
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                named = Ended.process(process)
                process.kill()  # stopped ones too; psutil makes sure that the id is still this process's
                ended[process.pid] = named
        rest = until - time.monotonic()
        if rest <= 0:
            raise stuck(Ended.process(process) for process in found)
        psutil.wait_procs(found, timeout=min(rest, 1))
    return list(ended.values())


def stuck(left: Iterable[Ended]) -> LeftoverError:
    """What to raise when processes do not go away."""
    names = ", ".join(map(str, left))
    return LeftoverError(
        f"Processes of the run cannot be ended: {names}. They belong to another user, or are stuck in the kernel. End "
        "them as root, or restart the machine, and run the same again."
    )


def _environ_says(process: psutil.Process, run_id: str) -> bool:
    try:
        return process.environ().get(MARK) == run_id
    except (psutil.Error, OSError):  # gone, a zombie, or somebody else's
        return False


def _wrapper(run: Run) -> list[psutil.Process]:
    """The process that makes the run, if it is there."""
    wanted = f"/memfd:{MARK}={run.id} (deleted)"
    with suppress(psutil.NoSuchProcess, OSError):
        process = psutil.Process(run.pid)
        if any(os.readlink(file) == wanted for file in Path(f"/proc/{run.pid}/fd").iterdir()):  # noqa: PTH115
            return [process]
    return []
