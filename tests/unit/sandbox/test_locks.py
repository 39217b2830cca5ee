import fcntl
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sandbox import locks
from sandbox.locks import held, machine

HOLDER = "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.flock(f, fcntl.LOCK_EX); print(flush=True); input()"


def holder(path: Path) -> "subprocess.Popen[str]":
    """A process that holds the lock until it is given a line."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    process.stdout.readline()
    return process


def test_waiting_is_announced_and_ends_with_the_holder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = holder(tmp_path / "lock")
    said = []

    def step(title: str) -> threading.Lock:
        said.append(title)
        other.communicate("\n")
        return threading.Lock()

    monkeypatch.setattr(locks, "step", step)
    with held(tmp_path / "lock", "that makes things"):
        assert said == ["Waiting for another command that makes things"]


def test_the_machine_s_lock_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "MACHINE", tmp_path / "lock")
    with pytest.raises(KeyboardInterrupt), machine():
        assert (tmp_path / "lock").exists()
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_was_removed_while_we_waited_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "lock"
    other = holder(path)

    def step(_: str) -> threading.Lock:
        path.unlink()
        other.communicate("\n")
        return threading.Lock()

    monkeypatch.setattr(locks, "step", step)
    with held(path, "that makes things"), path.open("w") as third, pytest.raises(BlockingIOError):
        fcntl.flock(third, fcntl.LOCK_EX | fcntl.LOCK_NB)
