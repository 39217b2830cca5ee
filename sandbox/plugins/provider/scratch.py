"""The directory for a plugin's temporary files; those of killed plugins go with the next start.

It may hold a kubeconfig, so it must not outlive its plugin, and the engine kills a plugin that does not end in time.
A plugin holds a lock on its directory while it lives, however it dies: a directory that can be locked is nobody's.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

PARENT_VARIABLE: Final = "DEPLOYTAG_PLUGIN_TMP"
"""Set by the launcher to a directory in its PULUMI_HOME."""


def make(name: str) -> str:
    """Return a new directory for the temporary files of this process."""
    given = os.environ.get(PARENT_VARIABLE)
    # A PULUMI_HOME may be read-only, and a plugin be started without our launcher.
    if given:
        with contextlib.suppress(OSError):
            return _make_in(Path(given), name)
    return _make_in(_common(), name)


def _common() -> Path:
    """A directory of this user where temporary files are; what killed plugins left in it is swept, too."""
    parent = Path(tempfile.gettempdir(), f"pulumi-resource-{os.getuid()}")
    parent.mkdir(mode=0o700, exist_ok=True)
    found = parent.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        # Somebody else has put it there: one of our own, which nobody sweeps.
        return Path(tempfile.mkdtemp(prefix=f"{parent.name}-"))
    return parent


def _make_in(parent: Path, name: str) -> str:
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _locked(parent):  # a directory that another plugin has made and not locked yet is not stale
        for entry in parent.iterdir():
            _remove_if_stale(entry)
        made = tempfile.mkdtemp(prefix=f"{name}-", dir=parent)
        _lock(os.open(made, os.O_RDONLY), wait=False)  # stays open until the process ends
        return made


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[None]:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        _lock(descriptor, wait=True)
        yield
    finally:
        os.close(descriptor)


def _remove_if_stale(directory: Path) -> None:
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:  # its plugin removes it right now, or it is none
        return
    try:
        if _lock(descriptor, wait=False):
            shutil.rmtree(directory, ignore_errors=True)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, *, wait: bool) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True
