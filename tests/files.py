"""Looks through folders into which others write at the same time."""

import os
from collections.abc import Iterator
from pathlib import Path


def below(root: Path) -> Iterator[Path]:
    """Everything below a folder, but for what goes away meanwhile: `Path.rglob` ends with an error at such a folder."""
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            yield Path(folder, name)
