"""Temporary files of plugins, of those that were killed too."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sandbox.plugins.provider import scratch

PLUGIN = """
import sys
from sandbox.plugins.provider import scratch
print(scratch.make("example"), flush=True)
sys.stdin.read()
"""


@contextmanager
def plugin(parent: Path) -> Iterator[tuple["subprocess.Popen[str]", Path]]:
    """A process that has made its directory and lives until the block ends."""
    environment = {
        **os.environ,
        scratch.PARENT_VARIABLE: "" if parent == Path() else str(parent),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    with subprocess.Popen(
        [sys.executable, "-c", PLUGIN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        yield process, Path(process.stdout.readline().strip())


def test_what_a_killed_plugin_left_goes_with_the_next_start_and_nothing_else(tmp_path: Path) -> None:
    parent = tmp_path / "home" / "tmp"
    (tmp_path / "elsewhere").mkdir()
    with plugin(parent) as (_, alive):
        with plugin(parent) as (killed, stale):
            (stale / "kubeconfig").write_text("secret")
            killed.send_signal(signal.SIGKILL)
            killed.wait()
        assert stale.exists()
        (parent / "link").symlink_to(tmp_path / "elsewhere")
        with plugin(parent) as (_, new):
            assert {path.name for path in parent.iterdir()} == {alive.name, new.name, "link"}
    assert (tmp_path / "elsewhere").exists()


def test_only_the_user_can_look_into_it(tmp_path: Path) -> None:
    with plugin(tmp_path / "tmp") as (_, made):
        assert {path.stat().st_mode & 0o777 for path in (made, made.parent)} == {0o700}


@pytest.mark.parametrize("place", ["", "/proc/nowhere"])
def test_without_a_place_of_its_own_it_is_where_temporary_files_are_and_swept_there(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with plugin(Path(place)) as (killed, stale):
        killed.send_signal(signal.SIGKILL)
        killed.wait()
    common = tmp_path / f"pulumi-resource-{os.getuid()}"
    assert stale.parent == common
    with plugin(Path(place)) as (_, new):
        assert list(common.iterdir()) == [new]
        assert common.stat().st_mode & 0o777 == 0o700


def test_a_place_that_somebody_else_made_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / f"pulumi-resource-{os.getuid()}").symlink_to(tmp_path / "theirs")
    monkeypatch.delenv(scratch.PARENT_VARIABLE, raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    made = Path(scratch.make("example"))
    assert made.is_relative_to(tmp_path)
    assert not made.is_relative_to(tmp_path / "theirs")
    assert not list((tmp_path / "theirs").iterdir())
