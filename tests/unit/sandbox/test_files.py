from pathlib import Path

import pytest

from sandbox.files import exclusive, staged


def test_a_folder_appears_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "target"
    with staged(target) as folder:
        (folder / "file").write_text("x")
        assert not target.exists()
    assert (target / "file").read_text() == "x"
    assert list(target.parent.iterdir()) == [target]


def test_a_failure_keeps_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    with pytest.raises(KeyboardInterrupt), staged(target):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == [target]


def test_what_a_killed_run_left_half_made_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".partial-killed" / "folder").mkdir(parents=True)
    (tmp_path / "whole").mkdir()
    with exclusive(tmp_path):
        assert {path.name for path in tmp_path.iterdir()} == {".lock", "whole"}
