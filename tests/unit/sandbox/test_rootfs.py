from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sandbox import apt, rootfs
from sandbox.apt import Source


def test_an_image_that_another_command_made_meanwhile_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEPLOYTAG_CACHE", str(tmp_path))
    monkeypatch.setattr(apt, "read_sources", lambda: [Source("http://mirror.example", "bookworm", ("main",))])
    monkeypatch.setattr(apt, "dump", lambda: "")
    monkeypatch.setattr(rootfs, "key", lambda *_: "debian-1")
    monkeypatch.setattr(rootfs, "_debootstrap", lambda *_: pytest.fail("it was there"))
    monkeypatch.setattr("os.geteuid", lambda: 0)

    @contextmanager
    def waiting(store: Path) -> Iterator[None]:
        (store / "debian-1").mkdir(parents=True)
        yield

    monkeypatch.setattr(rootfs, "exclusive", waiting)
    assert rootfs.prepare() == tmp_path / "images" / "debian-1"
