"""What goes into images and releases, staged from the repository and named by its content."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from deploytag.chart_source import chart_entries
from deploytag.errors import ContentError
from deploytag.ignore import find_ignore_file, read_rules
from deploytag.repository import TrackedFile, tracked_files
from deploytag.staging import Entry, StagedTree, links_out, prune, stage_entries

__all__ = ["StagedTree", "find_ignore_file", "prune", "stage", "stage_chart"]


def stage(
    repository: Path, includes: Sequence[str], destination_root: Path, *, ignore_file: str | None = None
) -> StagedTree:
    """Stage the git-tracked files at or below each of `includes`, at the paths they have in `repository`.

    Content is the working tree's, modes are git's. What the rules in `ignore_file` name is left out, and that file too,
    as it has had its effect; a file that an include names itself, such as the Dockerfile, is staged whatever they say.
    """
    files = {file.path: file for include in includes for file in _included(repository, include)}
    if ignore_file is not None:
        rules = read_rules(repository, ignore_file)
        named = {PurePosixPath(include) for include in includes}
        files = {
            path: file
            for path, file in files.items()
            if path in named or not (path == PurePosixPath(ignore_file) or rules.match_file(path))
        }
    if not files:
        raise ContentError(f"Nothing of {repository} was named to stage. Name files or directories, or `.` for all.")
    return stage_entries((Entry(file.path, file.source, file.mode) for file in files.values()), destination_root)


def stage_chart(repository: Path, chart_path: str, destination_root: Path) -> StagedTree:
    """Stage the Helm chart at `chart_path` of `repository`, with its `file://` dependencies inside it."""
    tree = stage_entries(chart_entries(repository, PurePosixPath(chart_path)), destination_root)
    # Helm follows links, and a template can print whatever file they lead to: the runner's credentials, for one.
    if link := next(links_out(tree.path), None):
        raise ContentError(
            f"in the chart {chart_path}: {link} is a symbolic link that leaves the chart. Put a copy there, or make it "
            "a subchart."
        )
    return tree


def _included(repository: Path, include: str) -> list[TrackedFile]:
    path = PurePosixPath(include)
    if path.is_absolute() or ".." in path.parts:
        raise ContentError(f"The include {include!r} leaves the repository. Name a path below {repository}.")
    if files := tracked_files(repository, include):
        return files
    if not (repository / path).exists():
        raise ContentError(f"The include {include!r} matches no file in {repository}. Correct it, or add the file.")
    raise ContentError(
        f"The include {include!r} exists in {repository}, but git tracks no file of it, and only tracked files are "
        f"built. Run `git add {include}`."
    )
