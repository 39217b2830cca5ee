"""Staged trees: the same content gives the same tree, on any machine; any change gives another."""

import os
import shutil
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path, PurePosixPath

import pytest

from deploytag.content import StagedTree, prune, stage
from deploytag.errors import ContentError
from deploytag.staging import Entry, stage_entries
from tests.unit.checkout import Checkout

FILES = {"Dockerfile": "FROM scratch\n", "app/main.py": "print(1)\n", "app/lib/util.py": "x = 1\n"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "trees"


@pytest.fixture
def filled(checkout: Checkout) -> Checkout:
    checkout.track(FILES)
    checkout.write("app/run.sh", "#!/bin/sh\n", executable=True)
    (checkout.path / "app/link").symlink_to("main.py")
    checkout.commit()
    return checkout


def look(tree: StagedTree) -> dict[str, tuple[int, int, bytes]]:
    """Mode, time and content of everything in a tree, the tree's own root apart."""
    seen = {}
    for path in sorted(tree.path.rglob("*")):
        facts = path.lstat()
        content = os.fsencode(path.readlink()) if path.is_symlink() else b"" if path.is_dir() else path.read_bytes()
        seen[str(path.relative_to(tree.path))] = (facts.st_mode, facts.st_mtime_ns, content)
    return seen


def test_what_is_tracked_is_staged(filled: Checkout, root: Path) -> None:
    tree = stage(filled.path, ["Dockerfile", "app"], root)
    assert tree.path == root / tree.digest
    assert {name: stat.filemode(mode) for name, (mode, _, _) in look(tree).items()} == {
        "Dockerfile": "-rw-r--r--",
        "app": "drwxr-xr-x",
        "app/main.py": "-rw-r--r--",
        "app/run.sh": "-rwxr-xr-x",
        "app/link": "lrwxrwxrwx",
        "app/lib": "drwxr-xr-x",
        "app/lib/util.py": "-rw-r--r--",
    }
    assert (tree.path / "app/link").readlink() == Path("main.py")
    assert (tree.path / "app/main.py").read_text() == "print(1)\n"
    assert stat.filemode(tree.path.stat().st_mode) == "drwxr-xr-x"


def test_a_directory_and_the_repository_itself_may_be_named(filled: Checkout, root: Path) -> None:
    assert set(look(stage(filled.path, ["app/lib/"], root))) == {"app", "app/lib", "app/lib/util.py"}
    assert stage(filled.path, ["."], root) == stage(filled.path, ["app", "Dockerfile", "app/main.py"], root)


def test_a_project_below_the_repositorys_root_is_its_own_world(filled: Checkout, root: Path) -> None:
    assert set(look(stage(filled.path / "app", ["lib"], root))) == {"lib", "lib/util.py"}


def _touch_all(checkout: Checkout) -> None:
    for path in checkout.path.rglob("*"):
        os.utime(path, (1, 1), follow_symlinks=False)


def _loosen_modes(checkout: Checkout) -> None:
    (checkout.path / "app/main.py").chmod(0o666)
    (checkout.path / "app/run.sh").chmod(0o700)
    (checkout.path / "app").chmod(0o777)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda checkout: checkout.write("app/untracked.py", "x"), id="an untracked file"),
        pytest.param(lambda checkout: checkout.write("app/__pycache__/a.pyc", "x"), id="an untracked directory"),
        pytest.param(_touch_all, id="times"),
        pytest.param(_loosen_modes, id="modes that git does not keep"),
        pytest.param(lambda checkout: checkout.commit("again"), id="a commit"),
        pytest.param(lambda checkout: checkout.track({"docs/a.md": "x"}), id="a tracked file elsewhere"),
    ],
)
def test_what_must_not_change_a_tree(filled: Checkout, root: Path, change: Callable[[Checkout], object]) -> None:
    before = stage(filled.path, ["Dockerfile", "app/main.py", "app/run.sh", "app/link", "app/lib"], root)
    change(filled)
    after = stage(filled.path, ["Dockerfile", "app/main.py", "app/run.sh", "app/link", "app/lib"], root)
    assert after == before


def test_another_checkout_with_another_umask_gives_the_same_tree(filled: Checkout, root: Path, tmp_path: Path) -> None:
    before = stage(filled.path, ["."], root)
    old = os.umask(0o077)
    try:
        filled.git("clone", "-q", str(filled.path), str(tmp_path / "deeper" / "clone"))
        after = stage(tmp_path / "deeper" / "clone", ["."], tmp_path / "other trees")
    finally:
        os.umask(old)
    assert after.digest == before.digest
    assert look(after) == look(before)


def _swap_link(checkout: Checkout) -> None:
    (checkout.path / "app/link").unlink()
    (checkout.path / "app/link").symlink_to("run.sh")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda checkout: checkout.write("app/main.py", "print(2)\n"), id="content not yet added"),
        pytest.param(lambda checkout: checkout.track({"app/new.py": ""}), id="a file added"),
        pytest.param(lambda checkout: (checkout.path / "app/main.py").unlink(), id="a file deleted"),
        pytest.param(lambda checkout: checkout.git("mv", "app/main.py", "app/start.py"), id="a file renamed"),
        pytest.param(lambda checkout: checkout.git("update-index", "--chmod=+x", "app/main.py"), id="a mode in git"),
        pytest.param(_swap_link, id="a link's target"),
    ],
)
def test_what_must_change_a_tree(filled: Checkout, root: Path, change: Callable[[Checkout], object]) -> None:
    before = stage(filled.path, ["."], root)
    change(filled)
    after = stage(filled.path, ["."], root)
    assert after.digest != before.digest
    assert after.path.is_dir()
    assert before.path.is_dir(), "what is being built elsewhere stays"


def test_an_edit_of_the_same_size_has_another_time(filled: Checkout, root: Path) -> None:
    """Or BuildKit, which compares size and time, would build the old content."""
    before = look(stage(filled.path, ["."], root))
    filled.write("app/main.py", "print(2)\n")
    after = look(stage(filled.path, ["."], root))
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"app/main.py"}, "times of what did not change stay"
    assert before["app/main.py"][1] != after["app/main.py"][1]
    years = range(2001, 2022)
    assert all(1970 + int(time / 1e9 / 31_556_952) in years for _, time, _ in (before | after).values())


def test_where_files_end_is_part_of_the_digest(checkout: Checkout, root: Path) -> None:
    checkout.track({"a": "b", "ab": ""})
    one = stage(checkout.path, ["."], root)
    checkout.track({"a": "", "ab": "b"})
    assert stage(checkout.path, ["."], root).digest != one.digest


def test_names_that_need_quoting_are_staged(checkout: Checkout, root: Path) -> None:
    names = {"two words", "tab\there", "ünï", "[a-z]*", '"quoted"', "line\nbreak"}
    checkout.track(dict.fromkeys(names, "x"))
    assert set(look(stage(checkout.path, ["."], root))) == names
    assert set(look(stage(checkout.path, ["[a-z]*"], root))) == {"[a-z]*"}, "an include is a path, not a pattern"


def test_a_tracked_file_replaced_by_a_directory_or_reached_by_a_link_is_gone(filled: Checkout, root: Path) -> None:
    (filled.path / "app/main.py").unlink()
    filled.write("app/main.py/inner", "x")
    shutil.move(filled.path / "app/lib", filled.path / "elsewhere")
    (filled.path / "app/lib").symlink_to("../elsewhere")
    assert set(look(stage(filled.path, ["."], root))) == {"Dockerfile", "app", "app/run.sh", "app/link"}


def test_a_tree_that_is_there_is_used_again(filled: Checkout, root: Path) -> None:
    first = stage(filled.path, ["."], root)
    inode = (first.path / "app/main.py").stat().st_ino
    os.utime(first.path, (1, 1))
    assert stage(filled.path, ["."], root) == first
    assert (first.path / "app/main.py").stat().st_ino == inode, "not copied again"
    assert first.path.stat().st_mtime > 1, "marked as used"
    assert list(root.iterdir()) == [first.path]


def test_many_may_stage_at_once(filled: Checkout, root: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        trees = list(pool.map(lambda _: stage(filled.path, ["."], root), range(16)))
    assert len(set(trees)) == 1
    assert list(root.iterdir()) == [trees[0].path], "nothing half-made is left"


def test_a_file_edited_while_it_is_staged_does_not_sit_under_the_old_digest(
    filled: Checkout, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copyfile = shutil.copyfile

    def edit_then_copy(source: Path, target: Path, *, follow_symlinks: bool) -> None:
        filled.write("app/main.py", "print(2)\n")
        copyfile(source, target, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(shutil, "copyfile", edit_then_copy)
    during = stage(filled.path, ["."], root)
    monkeypatch.undo()
    assert stage(filled.path, ["."], root) == during


def test_a_file_that_vanishes_is_a_sentence(root: Path, tmp_path: Path) -> None:
    with pytest.raises(ContentError, match="disappeared while it was being staged"):
        stage_entries([Entry(PurePosixPath("a"), tmp_path / "a", 0o644)], root)


def _conflict(checkout: Checkout) -> None:
    checkout.git("switch", "-q", "-c", "other")
    checkout.write("app/main.py", "other\n")
    checkout.commit()
    checkout.git("switch", "-q", "main")
    checkout.write("app/main.py", "main\n")
    checkout.commit()
    with pytest.raises(AssertionError, match="merge"):
        checkout.git("merge", "-q", "other")


def _submodule(checkout: Checkout) -> None:
    commit = checkout.git("rev-parse", "HEAD")
    checkout.git("update-index", "--add", "--cacheinfo", f"160000,{commit},app/sub")


def _sparse(checkout: Checkout) -> None:
    checkout.git("update-index", "--skip-worktree", "app/main.py")
    (checkout.path / "app/main.py").unlink()


@pytest.mark.parametrize(
    ("change", "include", "sentence"),
    [
        (lambda checkout: None, "nowhere", "The include 'nowhere' matches no file in"),
        (lambda checkout: checkout.write("new.py"), "new.py", "Run `git add new.py`."),
        (lambda checkout: (checkout.path / "Dockerfile").unlink(), "Dockerfile", "'Dockerfile' matches no file in"),
        (lambda checkout: None, "../other", "The include '../other' leaves the repository."),
        (lambda checkout: None, "/etc", "The include '/etc' leaves the repository."),
        (_submodule, "app", "app/sub in {path} is a git submodule"),
        (_conflict, "app", "app/main.py in {path} has an unresolved merge conflict."),
        (_sparse, "app", "app/main.py in {path} is left out by this sparse checkout"),
    ],
)
def test_what_cannot_be_staged_is_a_sentence(
    filled: Checkout, root: Path, change: Callable[[Checkout], object], include: str, sentence: str
) -> None:
    change(filled)
    with pytest.raises(ContentError) as caught:
        stage(filled.path, ["Dockerfile", include] if include != "Dockerfile" else [include], root)
    assert sentence.format(path=filled.path) in str(caught.value)
    assert not root.exists(), "nothing half-made"


def test_no_include_at_all_is_a_sentence(filled: Checkout, root: Path) -> None:
    with pytest.raises(ContentError, match=r"Nothing of .* was named to stage"):
        stage(filled.path, [], root)


def test_old_trees_go_but_for_those_kept_and_those_in_use(filled: Checkout, root: Path) -> None:
    old, kept, used = (stage(filled.path, [include], root) for include in ("Dockerfile", "app", "."))
    (root / ".tmp-interrupted").mkdir()
    for path in (old.path, kept.path, used.path, root / ".tmp-interrupted"):
        os.utime(path, (1, 1))
    stage(filled.path, ["."], root)
    assert prune(root, keep=[kept.digest]) == sorted([root / ".tmp-interrupted", old.path])
    assert sorted(root.iterdir()) == sorted([kept.path, used.path])


def test_the_age_may_be_chosen_and_nothing_to_prune_is_fine(filled: Checkout, root: Path) -> None:
    assert prune(root) == []
    tree = stage(filled.path, ["."], root)
    assert prune(root) == []
    assert prune(root, older_than=timedelta(seconds=-60)) == [tree.path]
