"""Reading a git repository: the commit it is at, and the files it tracks. The only place that talks to GitPython."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from deploytag.errors import ContentError, RefError

if TYPE_CHECKING:
    import git

CHECKOUT_SECONDS = 300
"""How long files may take to be checked out; a filter may fetch some."""

_SUBMODULE = "160000"

# What binds git to a repository, and what a hook passes on of the push it belongs to. Variables that say how to reach a
# remote (GIT_SSH_COMMAND, GIT_ASKPASS, GIT_CONFIG_*) are not among them: CI systems give credentials by them.
_BINDING = frozenset(
    "GIT_" + name
    for name in (
        *("ALTERNATE_OBJECT_DIRECTORIES", "COMMON_DIR", "DIR", "GRAFT_FILE", "IMPLICIT_WORK_TREE", "INDEX_FILE"),
        *("INTERNAL_SUPER_PREFIX", "NAMESPACE", "NO_REPLACE_OBJECTS", "OBJECT_DIRECTORY", "PREFIX", "QUARANTINE_PATH"),
        *("REPLACE_REF_BASE", "SHALLOW_FILE", "WORK_TREE"),
    )
)


@dataclass(frozen=True, slots=True)
class Head:
    """Where a checkout is: its commit, and its branch unless HEAD is detached."""

    branch: str | None
    commit: str


@dataclass(frozen=True, slots=True)
class TrackedFile:
    """One file as it would be after `git add -u`: the working tree's content, with the mode that git keeps."""

    path: PurePosixPath
    """Below the directory that was asked about."""
    source: Path
    mode: int
    """0o644, 0o755, or 0 for a symbolic link."""


def read_head(path: Path) -> Head:
    """Where the checkout at `path` is; a sentence when it is no repository or has no commit."""
    with _open(path) as repository:
        if not repository.head.is_valid():
            raise RefError(f"The git repository of {path} has no commit yet. Commit something first.")
        branch = None if repository.head.is_detached else repository.active_branch.name
        return Head(branch=branch, commit=repository.head.commit.hexsha)


def top(path: Path) -> Path:
    """The root of the working tree that `path` is in; a sentence when it is in none."""
    with _open(path) as repository:
        return Path(repository.working_tree_dir or path)


def remote_url(path: Path, name: str = "origin") -> str | None:
    """The URL of a remote; None when the repository has none of that name."""
    with _open(path) as repository:
        return next((remote.url for remote in repository.remotes if remote.name == name), None)


def ignored(path: Path, names: Sequence[str]) -> list[str]:
    """Those of `names`, below the working tree's root, that git ignores: `git add` would refuse them."""
    with _open(path) as repository:
        done = subprocess.run(
            # GitPython's own puts no `--` before the names.
            ["git", "check-ignore", "-z", "--stdin"],
            input=b"".join(os.fsencode(name) + b"\0" for name in names),
            cwd=repository.working_tree_dir,
            env=os.environ | _environment(repository),
            capture_output=True,
            check=False,
        )
    return [os.fsdecode(name) for name in done.stdout.split(b"\0")[:-1]]


def changed_files(path: Path) -> list[str]:
    """The tracked files that differ from HEAD in the index or in the working tree, below the repository's root."""
    import git  # noqa: PLC0415 - see _open

    with _open(path) as repository:
        try:
            said: str = repository.git.status("--porcelain", "-z", "--untracked-files=no", "--no-renames")
        except git.GitCommandError as error:
            raise RefError(_command_failed("compare the files with HEAD", path, error)) from error
    # Two letters that say how, and a space.
    return [entry[3:] for entry in said.split("\0") if entry]


@contextmanager
def linked_worktree(path: Path, commit: str, folder: Path) -> Iterator[Path]:
    """The files of `commit` in `folder`, as a linked worktree that is removed at the end.

    Gives the folder in it that `path` is in its own checkout: a project may be only a part of a repository.

    Raises:
        RefError: git cannot make it.
    """
    root = top(path)
    environ = bound_environment(path, os.environ)
    # The new tree has an index of its own; told of ours, git would fill that one.
    del environ["GIT_INDEX_FILE"], environ["GIT_WORK_TREE"]

    def worktree(*arguments: str) -> None:
        try:
            done = subprocess.run(
                ["git", "worktree", *arguments],
                cwd=root,
                env=environ,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=CHECKOUT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise RefError(
                f"git could not check {commit} out of {root} within {CHECKOUT_SECONDS} s. If large files come from "
                "elsewhere (git-lfs), see that they can be reached."
            ) from None
        if done.returncode:
            raise RefError(f"git could not check {commit} out of {root}: {done.stderr.strip()}")

    worktree("add", "--detach", "--quiet", "--", str(folder), commit)
    try:
        yield folder / path.resolve().relative_to(root.resolve())
    finally:
        # Twice: whatever is in it by now is nobody's.
        worktree("remove", "--force", "--force", str(folder))


def tracked_files(directory: Path, include: str) -> list[TrackedFile]:
    """The files that git tracks at or below `include` of `directory`, without those deleted in the working tree.

    Empty when git tracks none. A submodule, an unresolved merge or a file outside a sparse checkout is refused: each
    would be silently missing from what is built.
    """
    files = []
    entries = _index(directory, include)
    folders = {folder for entry in entries for folder in entry.path.parents[:-1]}
    linked = {folder for folder in folders if (directory / folder).is_symlink()}
    for tag, mode, _, stage, path in entries:
        if mode == _SUBMODULE:
            raise ContentError(
                f"{path} in {directory} is a git submodule, and DeployTag cannot stage submodules. "
                "Leave it out of the includes, or keep its files in this repository (git subtree does that)."
            )
        if stage != "0":
            raise ContentError(f"{path} in {directory} has an unresolved merge conflict. Resolve it and `git add` it.")
        source = directory / path
        if tag == "S" and not os.path.lexists(source):
            raise ContentError(
                f"{path} in {directory} is left out by this sparse checkout, so it cannot be built from. "
                "Add its directory with `git sparse-checkout add`."
            )
        # As git sees it: a directory in the file's place, or a link in place of a directory above it, means it is gone.
        if (source.is_symlink() or source.is_file()) and linked.isdisjoint(path.parents):
            files.append(TrackedFile(path, source, _mode(source, mode)))
    return files


def tracked_objects(directory: Path) -> dict[PurePosixPath, str]:
    """The object in git's index of every path at or below `directory`: equal when content, and kind, are."""
    return {entry.path: f"{entry.mode} {entry.object}" for entry in _index(directory, ".")}


def bound_environment(path: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """`environ` for a git command on the repository of `path`, whatever a hook has set.

    Raises:
        RefError: there is no checkout at `path`.
    """
    with _open(path) as repository:
        unbound = {name: value for name, value in environ.items() if name not in _BINDING}
        return unbound | _environment(repository)


def configured(path: Path, key: str, environment: Mapping[str, str]) -> str:
    """What git's configuration says of `key` in the checkout; empty when it says nothing."""
    done = subprocess.run(
        ["git", "config", "--get", key],
        cwd=path,
        env=dict(environment),
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip()


class _Entry(NamedTuple):
    """One line of git's index."""

    tag: str
    mode: str
    object: str
    stage: str
    """Of a merge."""
    path: PurePosixPath


def _index(directory: Path, include: str) -> list[_Entry]:
    """Git's index below `include`. One git process, however large."""
    import git  # noqa: PLC0415 - see _open

    with _open(directory) as repository:
        # `ls-files` lists relative to where it runs, and the directory may lie below the repository's root.
        command = git.Git(str(directory))
        command.update_environment(**_environment(repository), GIT_LITERAL_PATHSPECS="1")
        try:
            listing: bytes = command.execute(
                ["git", "ls-files", "-s", "-t", "-z", "--", include],
                stdout_as_string=False,
                strip_newline_in_stdout=False,
            )
        except git.GitCommandError as error:
            raise ContentError(_command_failed(f"list the files of {include!r}", directory, error)) from error
    entries = []
    for line in listing.split(b"\0")[:-1]:
        facts, path = line.split(b"\t", 1)
        tag, mode, blob, stage = facts.decode().split(" ")
        entries.append(_Entry(tag, mode, blob, stage, PurePosixPath(os.fsdecode(path))))
    return entries


def _mode(source: Path, index_mode: str) -> int:
    if source.is_symlink():
        return 0
    return 0o755 if index_mode == "100755" else 0o644


def _open(path: Path) -> git.Repo:
    # Imported here because GitPython looks for the git command when it is imported, and costs a tenth of a second that
    # `deploytag name` need not pay.
    try:
        import git  # noqa: PLC0415
    except ImportError as error:
        raise RefError("The git command was not found on PATH. Install git.") from error

    try:
        repository = git.Repo(path, search_parent_directories=True)
    except (git.InvalidGitRepositoryError, git.NoSuchPathError) as error:
        raise RefError(
            f"{path} is not in a git repository. Run this in a checkout of your application, "
            "or make one with `git init` and a first commit."
        ) from error
    if repository.bare:
        raise RefError(f"{path} is a bare git repository, without files to build. Use a checkout of it.")
    repository.git.update_environment(**_environment(repository))
    return repository


def _environment(repository: git.Repo) -> dict[str, str]:
    """Variables that bind git to this repository.

    A git hook passes GIT_DIR and the like to what it starts, and they would win over the path we were given. Naming the
    directory also means that a checkout owned by another user, as containers often have it, can be read.
    """
    return {
        "GIT_DIR": str(repository.git_dir),
        "GIT_WORK_TREE": str(repository.working_tree_dir),
        "GIT_INDEX_FILE": str(Path(repository.git_dir) / "index"),
        "GIT_OPTIONAL_LOCKS": "0",
    }


def _command_failed(doing: str, path: Path, error: git.GitCommandError) -> str:
    detail = str(error.stderr).replace("stderr:", "").strip(" '\n") or f"exit code {error.status}"
    return f"git could not {doing} in {path}: {detail}"
