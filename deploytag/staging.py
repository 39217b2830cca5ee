"""Trees named by their content: the same files give the same path, on any machine and at any time.

A staged tree is what an image is built from, or a chart is installed from. Only what git would keep decides its digest:
paths, content, the executable bit and the targets of links. So where the checkout lies, when it was made, by whom, with
which umask and with what lying about untracked, never changes a hash.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path, PurePosixPath

from deploytag.errors import ContentError

_KEPT_FOR = timedelta(days=7)
_HALF_MADE = ".tmp-"
# Some moment of these years, far from what any tool refuses: neither before 1980 (zip) nor in the future.
_FIRST_MTIME = 978_307_200  # 2001-01-01
_MTIME_RANGE = 20 * 365 * 86_400
_DIRECTORY_MTIME_NS = _FIRST_MTIME * 1_000_000_000


@dataclass(frozen=True, slots=True)
class StagedTree:
    """A directory that holds exactly the files its digest says."""

    path: Path
    digest: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One file to stage: where it goes, where it comes from, its mode (0 for a symbolic link)."""

    target: PurePosixPath
    source: Path
    mode: int


def stage_entries(entries: Iterable[Entry], destination_root: Path) -> StagedTree:
    """Copy `entries` to `destination_root/<digest>`, unless that is there already.

    Safe with others at work: the tree appears by one rename, and whoever comes second takes the first one's.
    """
    ordered = sorted(entries, key=lambda entry: os.fsencode(entry.target))
    _refuse_below_links(ordered)
    digest = _digest((entry, _fingerprint(entry.source, entry.mode)) for entry in ordered)
    if not (tree := _existing(destination_root, digest)):
        tree = _copy(ordered, destination_root)
    return tree


def links_out(tree: Path) -> Iterator[PurePosixPath]:
    """The symbolic links in `tree` that lead out of it, as the system follows them: links on their way included."""
    root = tree.resolve()
    for folder, folders, files in os.walk(root):
        for path in (Path(folder, name) for name in (*folders, *files)):
            if path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(root):
                yield PurePosixPath(path.relative_to(root))


def prune(destination_root: Path, keep: Collection[str] = (), older_than: timedelta = _KEPT_FOR) -> list[Path]:
    """Remove trees that nobody has staged for `older_than`, and what interrupted runs left; return what went.

    `keep` names digests that stay whatever their age.
    """
    deadline = time.time() - older_than.total_seconds()
    removed = []
    for path in sorted(destination_root.iterdir()) if destination_root.is_dir() else []:
        with suppress(FileNotFoundError):  # somebody else prunes too
            if path.name in keep or not path.is_dir() or path.stat().st_mtime >= deadline:
                continue
            # Renamed first: a tree that is half removed must not be found under its digest.
            doomed = Path(tempfile.mkdtemp(prefix=_HALF_MADE, dir=destination_root))
            path.rename(doomed / path.name)
            shutil.rmtree(doomed)
            removed.append(path)
    return removed


def _refuse_below_links(entries: Sequence[Entry]) -> None:
    """A file below a link would be written to wherever the link leads."""
    links = {entry.target for entry in entries if entry.mode == 0}
    for entry in entries:
        for above in links.intersection(entry.target.parents):
            raise ContentError(
                f"{entry.target} would lie below {above}, which is a symbolic link. Put a folder in the link's place."
            )


def _existing(destination_root: Path, digest: str) -> StagedTree | None:
    path = destination_root / digest
    try:
        os.utime(path)  # it is in use: `prune` goes by this. BuildKit does not send the root's own time.
    except FileNotFoundError:
        return None
    return StagedTree(path, digest)


def _copy(entries: Sequence[Entry], destination_root: Path) -> StagedTree:
    destination_root.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=_HALF_MADE, dir=destination_root))
    try:
        # The digest is taken again, of the copy: a file that was edited meanwhile must not sit under the old name.
        digest = _digest((entry, _place(entry, temporary)) for entry in entries)
        _settle_directories(temporary)
        try:
            temporary.rename(destination_root / digest)
        except OSError:
            if not (first := _existing(destination_root, digest)):
                raise
            return first
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return StagedTree(destination_root / digest, digest)


def _place(entry: Entry, root: Path) -> bytes:
    """Copy one file and return the fingerprint of the copy."""
    target = root / entry.target
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copyfile(entry.source, target, follow_symlinks=False)
    except FileNotFoundError as error:
        raise _vanished(entry.source) from error
    if entry.mode:
        if target.is_symlink():  # since it was listed; its mode would be that of what it leads to
            raise _vanished(entry.source)
        target.chmod(entry.mode)  # exact, whatever the umask
    fingerprint = _fingerprint(target, entry.mode)
    os.utime(target, ns=(_mtime_ns(fingerprint),) * 2, follow_symlinks=False)
    return fingerprint


def _mtime_ns(fingerprint: bytes) -> int:
    """A modification time made of the content.

    It must not be a constant: BuildKit's file sync (fsutil) takes a file of the same size, mode and time for unchanged
    and does not send it again, so an edit that keeps the size would be built from the old content. Nor may it be the
    checkout's: COPY keeps it in the layer, and the same files would make another image.
    """
    seconds = _FIRST_MTIME + int.from_bytes(fingerprint[:8]) % _MTIME_RANGE
    return seconds * 1_000_000_000 + int.from_bytes(fingerprint[8:16]) % 1_000_000_000


def _settle_directories(root: Path) -> None:
    """Give directories their mode and time, after the last file went in; the root's time says when it was used."""
    for folder, _, _ in os.walk(root, topdown=False):
        path = Path(folder)
        path.chmod(0o755)
        if path != root:
            os.utime(path, ns=(_DIRECTORY_MTIME_NS,) * 2)


def _fingerprint(source: Path, mode: int) -> bytes:
    try:
        if mode == 0:
            return hashlib.sha256(os.fsencode(source.readlink())).digest()
        with source.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except FileNotFoundError as error:
        raise _vanished(source) from error
    except PermissionError as error:
        raise ContentError(f"{source} cannot be read: {error.strerror}. Give yourself the right to read it.") from error


def _vanished(source: Path) -> ContentError:
    return ContentError(f"{source} disappeared while it was being staged. Run this again when the checkout is at rest.")


def _digest(described: Iterable[tuple[Entry, bytes]]) -> str:
    digest = hashlib.sha256()
    for entry, fingerprint in described:
        # Of fixed width but for the path, which cannot contain NUL: no two lists of files give the same bytes.
        digest.update(b"%06o" % entry.mode + fingerprint + os.fsencode(entry.target) + b"\0")
    return digest.hexdigest()
