"""One push: what was pushed is checked out and given to `deploytag ci`, each ref by itself.

This runs in a session of its own, started by the hook and outliving it: neither the pusher's Ctrl-C nor a connection
that breaks ends it. It writes to files, so nothing is lost when nobody reads.
"""

import fcntl
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from sandbox.errors import SandboxError
from sandbox.git import REMOTE, git
from sandbox.locks import held

PUSHED_AGAIN = "Push a correction, or again: python -m sandbox rerun"
AT_ONCE = 4
"""How many refs of one push are worked on at the same time."""


@dataclass(frozen=True)
class Delivery:
    """One ref of a push."""

    ref: str
    """In full: `refs/heads/feature/test`."""
    commit: str
    """What is checked out: the pushed commit; for a ref that was deleted, one whose settings say what to do."""
    deleted: bool
    log: str

    @property
    def name(self) -> str:
        """As people say it: `feature/test`."""
        return self.ref.split("/", 2)[2]


@dataclass(frozen=True)
class Push:
    """Everything that this process has to know; it comes on its standard input."""

    repository: str
    checkouts: str
    deliveries: tuple[Delivery, ...]

    def dump(self) -> str:
        """As JSON. Names that are no valid UTF-8 survive it."""
        return json.dumps(asdict(self))

    @classmethod
    def load(cls, text: str) -> Self:
        """The opposite of `dump`."""
        content = json.loads(text)
        return cls(**content | {"deliveries": tuple(Delivery(**one) for one in content["deliveries"])})


def slug(ref: str) -> str:
    """Whatever of a ref a file's name can safely show."""
    return re.sub(r"[^A-Za-z0-9]+", "-", ref)[:40].strip("-") or "ref"


def deliver(push: Push, delivery: Delivery) -> int:
    """Run the wrapper on a checkout of its own; how it ended."""
    with Path(delivery.log).open("ab", buffering=0) as log:
        try:
            with checkout(push, delivery) as (folder, lock):
                environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
                done = subprocess.run(
                    ["deploytag", "ci"],
                    cwd=folder,
                    env=environment
                    | {"DEPLOYTAG_BRANCH": delivery.ref, "DEPLOYTAG_REMOTE": REMOTE, "PYTHONUNBUFFERED": "1"},
                    stdin=subprocess.DEVNULL,
                    # Straight into the file: were this process killed, a pipe's end would break the run's own.
                    stdout=log,
                    stderr=log,
                    pass_fds=(lock,),
                    check=False,
                )
        except (SandboxError, OSError) as error:
            log.write(f"{error}\n".encode(errors="surrogateescape"))
            return 1
        if done.returncode != 0:
            log.write(_failed(delivery, done.returncode).encode(errors="surrogateescape"))
        return done.returncode


def _failed(delivery: Delivery, code: int) -> str:
    """Git says that the push succeeded, and it did: this is about what it was to cause."""
    what, again = ("deleted", "Again: deploytag destroy") if delivery.deleted else ("pushed", PUSHED_AGAIN)
    how = f"code {code}" if code > 0 else f"signal {-code}"
    return f"{delivery.name} was {what}, but its run ended with {how}. {again} {shlex.quote(delivery.name)}\n"


@contextmanager
def checkout(push: Push, delivery: Delivery) -> Iterator[tuple[Path, int]]:
    """A repository of its own with the commit checked out, and the lock that says that it is in use.

    Not one that is kept for the ref: the run before may still be reading it.
    """
    folder, lock = _claim(Path(push.checkouts), slug(delivery.name))
    try:
        git(
            *("clone", "--quiet", "--shared", "--no-checkout", "--template=", "--config=core.hooksPath=/dev/null"),
            *(f"--origin={REMOTE}", "--", push.repository, str(folder)),
            cwd=Path(push.checkouts),
        )
        git("checkout", "--quiet", "--detach", "--force", delivery.commit, cwd=folder)
        if not (folder / ".venv").exists():
            # What the program and the application's tests need is in the clone that the sandbox was started from.
            (folder / ".venv").symlink_to(sys.prefix)
        yield folder, lock
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _claim(checkouts: Path, name: str) -> tuple[Path, int]:
    """A new folder, locked; folders whose lock nobody holds were left by something that was killed, and go."""
    with held(checkouts / ".lock", "that checks out a push"):
        for left in checkouts.iterdir():
            if left.is_dir() and (lock := _locked(left)) is not None:
                shutil.rmtree(left, ignore_errors=True)
                os.close(lock)
        folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=checkouts))
        lock = _locked(folder)
        assert lock is not None  # noqa: S101 - nobody else knows it yet
        return folder, lock


def _locked(folder: Path) -> int | None:
    """The folder's lock, unless somebody holds it. It is inherited by the run, and ends with the last who has it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def main() -> int:
    """Deliver every ref; 0 when all succeeded."""
    push = Push.load(sys.stdin.read())
    with ThreadPoolExecutor(AT_ONCE) as pool:
        codes = list(pool.map(lambda delivery: deliver(push, delivery), push.deliveries))
    return next((code for code in codes if code), 0)


if __name__ == "__main__":
    sys.exit(main())
