"""Pulumi's own files about a stack, where its state is a folder or a bucket: checkpoint, locks, history and backups.

The CLI cannot say who holds a lock, remove just one (`pulumi cancel` removes all), or show a checkpoint without half a
second of its own time. The layout is that of its "DIY" backends (pkg/backend/diy in pulumi/pulumi), version 1.
"""

import contextlib
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import BaseModel, Field, ValidationError

from deploytag.delivery.backend import Backend
from deploytag.delivery.checkpoint_file import LARGEST_STATE, deployment_of
from deploytag.delivery.moment import Moment
from deploytag.delivery.run import LARGEST_PID
from deploytag.documents import DocumentError, parse_json, read_file
from deploytag.errors import DeploymentError, UnreachableError

if TYPE_CHECKING:
    from cloudpathlib import S3Path

    StatePath = Path | S3Path

_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_CHECKPOINT = re.compile(rf"(?P<stack>{_NAME.pattern})\.json(\.gz|\.zst)?")
_COPY = re.compile(r".*[.-](?P<nanoseconds>\d{1,20})(\.checkpoint)?\.json(\.gz|\.zst)?")
_ZSTD = b"\x28\xb5\x2f\xfd"
_SIDECAR = ".attrs"  # what a folder keeps beside each file, in place of an object's metadata

LARGEST_LOCK = 64 << 10


class Holder(BaseModel):
    """Who a lock says took it."""

    pid: Annotated[int, Field(gt=0, le=LARGEST_PID)]
    username: str
    hostname: str
    timestamp: Moment


@dataclass(frozen=True, slots=True)
class Lock:
    """One lock of a stack: one process that has begun to change it, and has not said that it ended."""

    path: "StatePath"
    written: datetime
    holder: Holder | None
    """None: the file is no lock that Pulumi could read; a writer that died in the middle leaves such a one."""


@dataclass(frozen=True, slots=True)
class StateStore:
    """The state of all stacks in one folder or bucket.

    Every method raises `UnreachableError` when the folder or bucket cannot be used.
    """

    root: "StatePath"
    """Pulumi's folder, `.pulumi`."""
    backend: Backend
    failures: tuple[type[Exception], ...] = (OSError,)
    """What the client of this kind of store raises."""

    @classmethod
    def from_environ(cls, environ: Mapping[str, str], directory: Path) -> Self | None:
        """The store that the CLI would use in `directory`; None: as `of`."""
        return cls.of(Backend.find(environ, directory))

    @classmethod
    def of(cls, backend: Backend | None) -> Self | None:
        """The store of a backend.

        None: the state is with a service, which has locks of its own, or of a kind that `limitation` names.
        """
        if backend and backend.scheme == "file":
            return cls(backend.folder() / ".pulumi", backend)
        if backend and backend.scheme == "s3":
            from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - see Backend.bucket
            from cloudpathlib.exceptions import CloudPathException  # noqa: PLC0415

            failures = (OSError, BotoCoreError, ClientError, CloudPathException)
            return cls(backend.bucket() / ".pulumi", backend, failures)
        return None

    def stacks(self, project: str) -> list[str]:
        """The names of the project's stacks, deployed or not."""
        with self._asked(f"listing the stacks of {project}"):
            names = (_CHECKPOINT.fullmatch(path.name) for path in _children(self.root / "stacks" / project))
            return sorted({name["stack"] for name in names if name})

    def removed(self, project: str) -> list[str]:
        """The names of stacks that are no more, and of which files are left: `pulumi stack rm` keeps copies."""
        with self._asked(f"looking for what removed stacks of {project} left"):
            files = (_FILE.fullmatch(path.name) for path in _children(self.root / "stacks" / project))
            found = {file["stack"] for file in files if file}
            for kind in ("history", "backups"):
                folders = [it for it in _children(self.root / kind / project) if _NAME.fullmatch(it.name)]
                # It leaves folders without a file as well; a bucket knows none of those.
                found |= {it.name for it in folders if not isinstance(it, Path) or (it.is_dir() and _children(it))}
        return sorted(found.difference(self.stacks(project)))

    def copies(self, project: str, stack: str) -> Iterator[dict[str, Any]]:
        """The deployments in copies of the stack's checkpoint, newest first; those that cannot be read are left out."""
        with self._asked(f"reading copies of the checkpoint of {stack}"):
            folders = [self.root / kind / project / stack for kind in ("history", "backups")]
            kept = [(found, path) for it in folders for path in _children(it) if (found := _COPY.fullmatch(path.name))]
            kept.sort(key=lambda it: int(it[0]["nanoseconds"]), reverse=True)
            last = [it for it in _children(self.root / "stacks" / project) if it.name in _endings(stack, ".bak")]
            for path in (*last, *(path for _, path in kept)):
                with contextlib.suppress(OSError, DocumentError):
                    yield deployment_of(_read(path, LARGEST_STATE))

    def checkpoint(self, project: str, stack: str) -> dict[str, Any] | None:
        """The deployment that the stack's checkpoint holds; empty before the first one. None: there is no such stack.

        Raises:
            DeploymentError: it cannot be read as a checkpoint.
        """
        with self._asked(f"reading the checkpoint of {stack}"):
            content = self._checkpoint(project, stack)
        if content is None:
            return None
        where = f"the checkpoint of the stack {stack} in {self.backend.said}"
        if content.startswith(_ZSTD):
            raise DeploymentError(
                f"{where} is compressed with zstd, which DeployTag cannot read. Unset PULUMI_DIY_BACKEND_ZSTD (gzip "
                "works) and let Pulumi write it anew: `pulumi refresh`."
            )
        try:
            return deployment_of(content)
        except DocumentError as error:
            raise DeploymentError(
                f"{where} cannot be read ({error}); the one before it is beside it, with the ending .bak."
            ) from None

    def _checkpoint(self, project: str, stack: str) -> bytes | None:
        found = [path for path in _children(self.root / "stacks" / project) if path.name in _endings(stack)]
        if len(found) > 1:  # Pulumi was killed while it changed the compression: it takes the newest
            found.sort(key=lambda path: path.stat().st_mtime, reverse=True)
        with contextlib.suppress(FileNotFoundError):  # removed meanwhile
            return _read(found[0], LARGEST_STATE) if found else None
        return None

    def locks(self, project: str, stack: str) -> list[Lock]:
        """The locks of the stack, oldest first."""
        locks = []
        with self._asked(f"reading the locks of {stack}"):
            for path in _children(self._lock_folder(project, stack)):
                with contextlib.suppress(FileNotFoundError):  # released meanwhile
                    if not path.name.endswith(_SIDECAR):
                        locks.append(_read_lock(path))
        return sorted(locks, key=lambda lock: lock.written)

    def remove_lock(self, lock: Lock) -> None:
        """Remove this one lock; that it is gone already is no error."""
        with self._asked(f"removing the lock {lock.path.name}"):
            _remove(lock.path)

    def mend(self, project: str, stack: str) -> list[str]:
        """Remove what writes that were killed left of the stack's files; the names of what was removed.

        A folder has a file of attributes beside each file. Killed while it writes one, Pulumi leaves it empty, and then
        refuses the file it belongs to ("failed to load checkpoint: EOF"); without one it reads it. Nobody may be
        writing: the stack has to be held, and without a lock.
        """
        if not isinstance(self.root, Path):
            return []  # an object is written whole or not at all
        with self._asked(f"mending the files of {stack}"):
            ours = _files_of(stack)
            found = [path for path in _children(self.root / "stacks" / project) if ours.fullmatch(path.name)]
            found.append(self.root / f"meta.yaml{_SIDECAR}")
            broken = [path for path in found if _is_torn(path)]
            for path in broken:
                path.unlink(missing_ok=True)
        return [path.name for path in broken]

    def remove_stack(self, project: str, stack: str) -> None:
        """Remove every file of the stack, whatever it still has deployed. The checkpoint goes last.

        Interrupted, it leaves a stack that is still listed, so that it is removed the next time.
        """
        with self._asked(f"removing the stack {stack}"):
            for folder in ("history", "backups"):
                _remove_folder(self.root / folder / project / stack)
            ours = _files_of(stack)
            found = [path for path in _children(self.root / "stacks" / project) if ours.fullmatch(path.name)]
            for path in sorted(found, key=lambda path: _CHECKPOINT.fullmatch(path.name) is not None):
                _remove(path)
            _remove_folder(self._lock_folder(project, stack))

    def _lock_folder(self, project: str, stack: str) -> "StatePath":
        return self.root / "locks" / "organization" / project / stack

    @contextlib.contextmanager
    def _asked(self, doing: str) -> Iterator[None]:
        try:
            yield
        except self.failures as error:
            raise UnreachableError(
                f"Pulumi's state in {self.backend.said} cannot be used ({doing}): {error}. The address comes from "
                f"{self.backend.origin}."
            ) from None


def _read(path: "StatePath", limit: int) -> bytes:
    """The content of a file or object, without a copy of it on this machine: a run that is killed would leave it.

    Raises:
        FileNotFoundError: there is none (any more).
        OSError: it cannot be read, or is no file, or larger than `limit`.
    """
    if isinstance(path, Path):
        try:
            return read_file(path, limit)
        except DocumentError as error:
            raise OSError(f"{path}: {error}") from None
    client = path.client.client
    try:
        body = client.get_object(Bucket=path.bucket, Key=path.key)["Body"]
    except client.exceptions.NoSuchKey:
        raise FileNotFoundError(str(path)) from None
    content: bytes = body.read(limit + 1)
    if len(content) > limit:
        raise OSError(f"{path} is larger than {limit >> 10} KiB")
    return content


def limitation(environ: Mapping[str, str], directory: Path) -> str | None:
    """What DeployTag cannot do with the backend that the CLI would use in `directory`; None: there is nothing."""
    backend = Backend.find(environ, directory)
    if backend is None or backend.scheme in {"file", "s3", "https", "http"}:
        return None
    return (
        f"Locks in {backend.said} cannot be repaired automatically: DeployTag reads state in file:// and s3:// only. "
        "When a run died there, look whose lock it is and remove it with `pulumi cancel`."
    )


def _endings(stack: str, copy: str = "") -> set[str]:
    """The names that the stack's checkpoint may have; or those of its last copy."""
    return {f"{stack}.json{compression}{copy}" for compression in ("", ".gz", ".zst")}


_KINDS = rf"(json(\.gz|\.zst)?|pulumi-tags)(\.bak)?(\.[0-9a-f]+(\.tmp)?)?({re.escape(_SIDECAR)})?"
_FILE = re.compile(rf"(?P<stack>{_NAME.pattern}?)\.{_KINDS}")
"""A file of some stack, and what is left of a write that was killed."""


def _files_of(stack: str) -> re.Pattern[str]:
    """The stack's own files; not those of a stack `NAME.json`."""
    return re.compile(rf"{re.escape(stack)}\.{_KINDS}")


def _is_torn(path: "StatePath") -> bool:
    if path.name.endswith(".tmp"):
        return True
    if not path.name.endswith(_SIDECAR):
        return False
    try:
        parse_json(_read(path, LARGEST_LOCK))
    except FileNotFoundError:
        return False
    except DocumentError:
        return True
    return False


def _children(folder: "StatePath") -> list["StatePath"]:
    try:
        return list(folder.iterdir())
    except FileNotFoundError:
        return []


def _read_lock(path: "StatePath") -> Lock:
    content, written = _read(path, LARGEST_LOCK), datetime.fromtimestamp(path.stat().st_mtime, UTC)
    try:
        return Lock(path, written, Holder.model_validate_json(content))
    except ValidationError:
        return Lock(path, written, None)


def _remove(path: "StatePath") -> None:
    try:
        path.unlink(missing_ok=False)
    except FileNotFoundError:
        # cloudpathlib takes an object that it may not look at for one that is not there.
        if path in _children(path.parent):
            raise PermissionError(f"{path} may not be removed") from None
    if isinstance(path, Path):
        path.with_name(path.name + _SIDECAR).unlink(missing_ok=True)


def _remove_folder(folder: "StatePath") -> None:
    if isinstance(folder, Path):
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(folder)
        return
    for path in folder.rglob("*"):
        if path.is_file():
            _remove(path)
