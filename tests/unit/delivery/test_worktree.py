"""The program as it was at a commit, beside whatever is checked out."""

from pathlib import Path

import pytest

from deploytag.delivery.worktree import worktree
from deploytag.errors import RefError
from deploytag.remote import Remote
from deploytag.repository import tracked_files
from tests.unit.checkout import Checkout

PROJECT = "name: shop\nruntime: {name: python, options: {virtualenv: .venv}}\n"


@pytest.fixture
def pushed(tmp_path: Path) -> Checkout:
    """A checkout whose first commit, on a remote, is followed by another one."""
    checkout = Checkout.init(tmp_path / "shop")
    checkout.track({"Pulumi.yaml": PROJECT, "app/main.py": "old", ".gitignore": ".venv\n"})
    checkout.commit()
    checkout.git("init", "-q", "--bare", str(tmp_path / "remote"))
    checkout.git("push", "-q", str(tmp_path / "remote"), "main")
    checkout.write("app/main.py", "new")
    checkout.commit()
    return checkout


def remote(checkout: Checkout) -> Remote:
    return Remote(checkout.path, str(checkout.path.parent / "remote"))


def test_it_has_the_commits_own_files_and_leaves_the_checkout_alone(pushed: Checkout, tmp_path: Path) -> None:
    first = pushed.git("rev-parse", "HEAD~1")
    (pushed.path / ".venv").mkdir()
    with worktree(pushed.path, remote(pushed), first, tmp_path / "tree") as project:
        assert (project / "app/main.py").read_text() == "old"
        assert (project / ".venv").resolve() == pushed.path / ".venv"
        tracked = {file.path.as_posix() for file in tracked_files(project, ".")}
        assert tracked == {"Pulumi.yaml", "app/main.py", ".gitignore"}
        assert pushed.git("status", "--porcelain") == ""
    assert not (tmp_path / "tree").exists()
    assert len(pushed.git("worktree", "list").splitlines()) == 1
    assert pushed.git("status", "--porcelain") == ""


def test_what_was_left_in_it_does_not_keep_it(pushed: Checkout, tmp_path: Path) -> None:
    with worktree(pushed.path, remote(pushed), pushed.git("rev-parse", "HEAD"), tmp_path / "tree") as project:
        (project / "left").write_text("behind")
    assert not (tmp_path / "tree").exists()


def test_a_commit_that_nobody_has_is_a_sentence(pushed: Checkout, tmp_path: Path) -> None:
    with pytest.raises(RefError, match="does not give out the commit"):
        worktree(pushed.path, remote(pushed), "a" * 40, tmp_path / "tree").__enter__()


@pytest.mark.parametrize("place", ["../venv", "way-out/venv"])
def test_a_commit_has_no_link_made_outside_of_its_tree(pushed: Checkout, tmp_path: Path, place: str) -> None:
    outside = tmp_path / "scratch"
    outside.mkdir()
    (pushed.path / "way-out").symlink_to(outside)
    pushed.write("Pulumi.yaml", PROJECT.replace(".venv}", f"{place}}}"))
    commit = pushed.commit()
    (pushed.path / "way-out").unlink()
    (pushed.path / place).mkdir(parents=True)
    with worktree(pushed.path, remote(pushed), commit, outside / "tree"):
        assert [path.name for path in outside.iterdir()] == ["tree"]


def test_a_virtual_environment_in_a_folder_that_git_does_not_know_is_there(pushed: Checkout, tmp_path: Path) -> None:
    pushed.write("Pulumi.yaml", PROJECT.replace(".venv}", "tools/python/.venv}"))
    commit = pushed.commit()
    (pushed.path / "tools/python/.venv").mkdir(parents=True)
    with worktree(pushed.path, remote(pushed), commit, tmp_path / "tree") as project:
        assert (project / "tools/python/.venv").resolve() == pushed.path / "tools/python/.venv"
