"""Keeps what moto holds in memory on disk, one file per service, so that it survives a restart.

moto can record requests and replay them, but a replay gives everything new times and random parts, and reads are
replayed too. Its models are plain objects and can be pickled as they are.
"""

import pickle
from pathlib import Path
from typing import Any

from moto.backends import get_backend

# The services with state that somebody would miss. KMS cannot be kept: its private keys cannot be pickled.
SERVICES = ("secretsmanager", "s3", "iam")


class Snapshots:
    """The files in one directory."""

    def __init__(self, folder: Path) -> None:
        """Nothing is read yet."""
        self._folder = folder

    def load(self) -> None:
        """Put what was saved back in place."""
        for service in SERVICES:
            path = self._folder / f"{service}.pickle"
            if path.exists():
                saved: dict[str, dict[str, Any]] = pickle.loads(path.read_bytes())  # noqa: S301 - ours
                backends: Any = get_backend(service)  # type: ignore[call-overload]
                for account, regions in saved.items():
                    for region, backend in regions.items():
                        backends[account][region] = backend

    def save(self, service: str) -> None:
        """Write one service's state; never half of it."""
        if service not in SERVICES:
            return
        backends: Any = get_backend(service)  # type: ignore[call-overload]
        content = pickle.dumps({account: dict(regions) for account, regions in backends.items()})
        temporary = self._folder / f"{service}.new"
        temporary.touch(mode=0o600)
        temporary.write_bytes(content)
        temporary.replace(self._folder / f"{service}.pickle")
