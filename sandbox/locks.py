"""One at a time: locks between processes, which say what they wait for and end with the process that holds them."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from sandbox.progress import step

# There is one sandbox per machine, whatever directory and clone it is started from. /run, as the record: see there.
MACHINE = Path("/run/deploytag-sandbox.lock")


@contextmanager
def machine() -> Iterator[None]:
    """One `up`, `down` or `reset` on this machine. Nothing is left behind: `down` leaves the machine as it was."""
    with held(MACHINE, "that starts or stops the sandbox"):
        try:
            yield
        finally:
            MACHINE.unlink(missing_ok=True)


@contextmanager
def held(path: Path, whose: str) -> Iterator[None]:
    """Hold the lock file at `path`; `whose` tells who else may: "Waiting for another command <whose>"."""
    while True:
        with path.open("w") as lock:
            _wait_for(lock, whose)
            # Who held it before may have removed it: then this is no longer the file that others find here.
            if _is(lock, path):
                yield
                return


def _wait_for(lock: IO[str], whose: str) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        with step(f"Waiting for another command {whose}"):
            fcntl.flock(lock, fcntl.LOCK_EX)


def _is(lock: IO[str], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(lock.fileno()), path.stat())
    except FileNotFoundError:
        return False
