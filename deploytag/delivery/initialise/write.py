"""Writes files that are not there, all or none."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from deploytag.delivery.initialise.render import File
from deploytag.errors import ContentError


def write(root: Path, files: Iterable[File]) -> None:
    """Write every file; when one cannot be, remove those that were, and the folders made for them.

    Raises:
        ContentError: a file could not be written, or appeared meanwhile; the repository is as it was.
    """
    made: list[Path] = []
    try:
        for file in files:
            _make_folders((root / file.path).parent, made)
            _write(root / file.path, file, made)
    except OSError as error:
        _take_back(made)
        raise ContentError(
            f"{error.filename} could not be written: {error.strerror}. What had been written before it was removed."
        ) from None
    except BaseException:  # Ctrl-C, too
        _take_back(made)
        raise


def _make_folders(folder: Path, made: list[Path]) -> None:
    if not folder.exists():
        _make_folders(folder.parent, made)
        folder.mkdir()
        made.append(folder)


def _write(path: Path, file: File, made: list[Path]) -> None:
    # `x`: never over a file that somebody else made in the meantime.
    with path.open("x", encoding="utf-8", newline="\n") as opened:
        made.append(path)
        opened.write(file.text)
    if file.executable:
        path.chmod(path.stat().st_mode | 0o111)


def _take_back(made: list[Path]) -> None:
    for path in reversed(made):
        # Somebody else's file in a folder of ours keeps the folder.
        with suppress(OSError):
            path.rmdir() if path.is_dir() else path.unlink()
