"""The files of a Helm chart that stands in the repository, its `file://` dependencies unpacked inside it.

`helm dependency build` would pack such a dependency into `charts/`, where it stays when its source is edited. Taking
the source instead means that what is installed is always what the repository says.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from deploytag.documents import DocumentError, parse_yaml, read_file
from deploytag.errors import ContentError
from deploytag.repository import TrackedFile, tracked_files
from deploytag.staging import Entry

_FILE = "file://"
_EXACT_VERSION = re.compile(r"\d+\.\d+\.\d+[0-9A-Za-z.+-]*")


@dataclass(frozen=True, slots=True)
class _Dependency:
    name: str
    version: str
    source: str


def chart_entries(repository: Path, chart: PurePosixPath) -> list[Entry]:
    """Everything to stage for `chart`, relative to the chart's directory."""
    return list(_entries(repository, chart, ()).values())


def _entries(repository: Path, chart: PurePosixPath, above: tuple[PurePosixPath, ...]) -> dict[PurePosixPath, Entry]:
    if chart in above:
        circle = " -> ".join(map(str, (*above, chart)))
        raise ContentError(f"The charts depend on each other in a circle: {circle}. Remove one `file://` dependency.")
    files = _chart_files(repository, chart)
    entries = {path: Entry(path, file.source, file.mode) for path, file in files.items()}
    # What a lock file pins is already here, unpacked, and its timestamp would be a new release each time it is made.
    entries.pop(PurePosixPath("Chart.lock"), None)
    entries.pop(PurePosixPath("requirements.lock"), None)
    for dependency in _dependencies(repository, chart):
        if dependency.source.startswith(_FILE):
            _vendor(repository, chart, dependency, entries, above)
        else:
            _require(repository, chart, dependency, entries)
    return entries


def _vendor(
    repository: Path,
    chart: PurePosixPath,
    dependency: _Dependency,
    entries: dict[PurePosixPath, Entry],
    above: tuple[PurePosixPath, ...],
) -> None:
    """Put the dependency's files of now in `charts/<name>/`, in place of any copy of it."""
    source = PurePosixPath(posixpath.normpath(chart / dependency.source.removeprefix(_FILE)))
    if source.is_absolute() or source.parts[:1] == ("..",):
        raise ContentError(
            f"The chart {chart} depends on {dependency.name} at {dependency.source}, which is outside of the "
            "repository. Move that chart into the repository, or depend on a published one."
        )
    subchart = _entries(repository, source, (*above, chart))
    _check_version(repository, chart, dependency, source)
    for path in [path for path in entries if _is_copy(path, dependency.name)]:
        del entries[path]
    home = PurePosixPath("charts", dependency.name)
    for path, entry in subchart.items():
        entries[home / path] = Entry(home / path, entry.source, entry.mode)


def _require(
    repository: Path, chart: PurePosixPath, dependency: _Dependency, entries: dict[PurePosixPath, Entry]
) -> None:
    """See that a dependency from elsewhere is there.

    The one file that need not be tracked is the archive that `helm dependency build` makes: most teams have git ignore
    it, and its name and the chart's lock file say what is in it.
    """
    if any(_is_copy(path, dependency.name) for path in entries):
        return
    archives = sorted(
        path
        for path in (repository / chart / "charts").glob("*.tgz")
        # No link: what it leads to would be given the mode of what is staged.
        if _is_archive(path.name, dependency.name) and path.is_file() and not path.is_symlink()
    )
    if not archives:
        raise ContentError(
            f"The chart {chart} depends on {dependency.name} {dependency.version}".rstrip()
            + f" from {dependency.source or 'its own charts/ directory'}, which is not in {chart}/charts. "
            f"Run `helm dependency build {chart}` before this."
        )
    for archive in archives:
        target = PurePosixPath("charts", archive.name)
        entries[target] = Entry(target, archive, 0o644)


def _is_copy(path: PurePosixPath, name: str) -> bool:
    """Whether `path` belongs to a copy of the chart `name` below `charts/`, packed or not, or is a link to one."""
    match path.parts:
        case ("charts", file):
            return file == name or _is_archive(file, name)
        case ("charts", folder, *_):
            return folder == name
    return False


def _is_archive(file: str, name: str) -> bool:
    return re.fullmatch(rf"{re.escape(name)}-v?\d+\..*\.tgz", file) is not None


def _chart_files(repository: Path, chart: PurePosixPath) -> dict[PurePosixPath, TrackedFile]:
    """The chart's tracked files, by their path in the chart."""
    if chart.is_absolute() or ".." in chart.parts:
        raise ContentError(f"The chart {chart} is outside of the repository. Name a directory below {repository}.")
    if not (repository / chart / "Chart.yaml").is_file():
        raise ContentError(
            f"There is no Helm chart at {chart} in {repository}: it has no Chart.yaml. Correct the path, or make a "
            f"chart there with `helm create {chart}`."
        )
    files = {file.path.relative_to(chart): file for file in tracked_files(repository, str(chart))}
    if PurePosixPath("Chart.yaml") not in files:
        raise ContentError(
            f"The Helm chart {chart} exists in {repository}, but git does not track its Chart.yaml, and only tracked "
            f"files are installed. Run `git add {chart}`."
        )
    return files


def _dependencies(repository: Path, chart: PurePosixPath) -> list[_Dependency]:
    """What the chart says it needs; charts of Helm 2's format say it in a file apart."""
    declared = _read_yaml(repository, chart / "Chart.yaml").get("dependencies")
    if declared is None and (repository / chart / "requirements.yaml").is_file():
        declared = _read_yaml(repository, chart / "requirements.yaml").get("dependencies")
    if not isinstance(declared or [], list):
        raise _malformed(chart)
    return [_dependency(chart, item) for item in declared or []]


def _dependency(chart: PurePosixPath, item: Any) -> _Dependency:
    name = item.get("name") if isinstance(item, Mapping) else None
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9._-]+", name) or name.strip(".") == "":
        raise _malformed(chart)
    return _Dependency(name, str(item.get("version") or ""), str(item.get("repository") or ""))


def _malformed(chart: PurePosixPath) -> ContentError:
    return ContentError(
        f"The dependencies of the chart {chart} are not a list of entries with a `name`. "
        f"Correct {chart / 'Chart.yaml'}; `helm lint {chart}` says more."
    )


def _check_version(repository: Path, chart: PurePosixPath, dependency: _Dependency, source: PurePosixPath) -> None:
    """Refuse a plain version that is not the subchart's: Helm would drop the entry's condition and alias in silence."""
    actual = str(_read_yaml(repository, source / "Chart.yaml").get("version", ""))
    if _EXACT_VERSION.fullmatch(dependency.version) and dependency.version != actual:
        raise ContentError(
            f"The chart {chart} depends on {dependency.name} {dependency.version}, but {source} is version {actual}. "
            f"Make the two equal, in {chart / 'Chart.yaml'} or in {source / 'Chart.yaml'}."
        )


def _read_yaml(repository: Path, path: PurePosixPath) -> Mapping[str, Any]:
    if not (repository / path).resolve().is_relative_to(repository.resolve()):
        raise ContentError(f"{path} is a link out of the repository. Put the file itself there.")
    try:
        document = parse_yaml(read_file(repository / path))
    except (DocumentError, OSError) as error:
        raise ContentError(f"{path} cannot be read as YAML: {error}. Correct it.") from None
    if not isinstance(document, Mapping):
        raise ContentError(f"{path} does not hold a mapping, so it describes no chart. Correct it.")
    return document
