"""Files and folders that are either whole or not there."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sandbox.locks import held

_PARTIAL = ".partial-"


@contextmanager
def staged(target: Path) -> Iterator[Path]:
    """An empty folder to fill; it becomes `target` when the block succeeds and disappears when it does not."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=_PARTIAL, dir=target.parent))
    try:
        yield partial
        partial.chmod(0o755)
        if target.exists():
            shutil.rmtree(target)
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """An empty folder inside `folder` that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix=_PARTIAL, dir=folder) as name:
        yield Path(name)


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Only one process at a time works in `folder`; what a killed one left half made is removed first."""
    folder.mkdir(parents=True, exist_ok=True)
    with held(folder / ".lock", f"that makes something in {folder}"):
        for left in folder.glob(f"{_PARTIAL}*"):
            shutil.rmtree(left)
        yield
