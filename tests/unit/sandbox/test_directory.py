from pathlib import Path

import pytest

from sandbox import directory
from sandbox.errors import SandboxError
from sandbox.layout import Layout


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "sandbox")


def test_a_home_directory_is_neither_used_nor_deleted(layout: Layout) -> None:
    layout.root.mkdir()
    (layout.root / "thesis.tex").write_text("everything")
    (layout.root / "tmp").mkdir()
    for use in (directory.refuse_foreign, directory.claim, directory.delete):
        with pytest.raises(SandboxError, match="holds files that are not a sandbox's"):
            use(layout)
    assert {path.name for path in layout.root.iterdir()} == {"thesis.tex", "tmp"}


def test_a_lock_file_alone_makes_no_sandbox(layout: Layout) -> None:
    layout.root.mkdir()
    (layout.root / "lock").touch()
    with pytest.raises(SandboxError):
        directory.delete(layout)


def test_a_file_is_no_directory(layout: Layout) -> None:
    layout.root.touch()
    with pytest.raises(SandboxError, match="is no directory"):
        directory.claim(layout)


def test_what_was_claimed_is_deleted_with_everything_in_it(layout: Layout, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "kept").touch()
    directory.claim(layout)
    assert layout.root.stat().st_mode & 0o777 == 0o700
    (layout.root / "deep" / "er").mkdir(parents=True)
    (layout.root / "link").symlink_to(tmp_path / "elsewhere")
    directory.claim(layout)
    directory.delete(layout)
    assert not layout.root.exists()
    assert (tmp_path / "elsewhere" / "kept").exists()


def test_an_empty_directory_may_be_claimed(layout: Layout) -> None:
    layout.root.mkdir()
    directory.claim(layout)
    assert layout.marker.exists()


def test_a_deletion_that_was_interrupted_is_taken_up(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    directory.claim(layout)
    (layout.root / "volumes").mkdir()

    def interrupted(_: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("shutil.rmtree", interrupted)
        directory.delete(layout)
    directory.delete(layout)
    assert not layout.root.exists()


def test_a_sandbox_of_an_earlier_version_is_known_by_what_it_holds(layout: Layout) -> None:
    layout.etc.mkdir(parents=True)
    layout.pki.mkdir()
    (layout.root / "lock").touch()
    (layout.etc / "supervisord.conf").touch()
    directory.claim(layout)
    assert layout.marker.exists()
