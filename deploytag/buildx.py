"""What Docker's buildx knows of builds, and is asked."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploytag.docker_folders import buildx_folder
from deploytag.documents import DocumentError, parse_json, read_file
from deploytag.errors import UnreachableError
from deploytag.output import shown_as_one_line

TIMEOUT = 10
"""Seconds it may take to answer."""

_SAID = 300
"""Characters of a complaint that are repeated: the last ones."""


@dataclass(frozen=True, slots=True)
class Build:
    """One build, as buildx has written it down."""

    builder: str
    ref: str
    """By which the builder knows it."""


def command(environ: Mapping[str, str]) -> list[str] | None:
    """How buildx is called: alone where it was installed so, else as Docker's plugin. None: there is neither."""
    path = environ.get("PATH")
    if alone := shutil.which("buildx", path=path):
        return [alone]
    # Whether it has that plugin, it says when it is asked.
    docker = shutil.which("docker", path=path)
    return [docker, "buildx"] if docker else None


def printed(context: Path, since: float, environ: Mapping[str, str]) -> str:
    """What the last build of a folder printed, from the builder's own record of it.

    Args:
        context: the folder that was built.
        since: the UNIX time before which that build did not begin; an earlier one of the same folder is another.
        environ: with what tells buildx where its configuration and Docker's are.

    Raises:
        UnreachableError: buildx knows of no such build, there is no buildx or one too old to know of records, or the
            builder does not answer.
    """
    build = last_build(buildx_folder(environ), context, since)
    if build is None:
        raise UnreachableError("buildx has written down no build of it.")
    called = command(environ)
    if called is None:
        raise UnreachableError("there is no `docker buildx` and no `buildx` on PATH to ask the builder with.")
    return _asked([*called, "history", "--builder", build.builder, "logs", "--progress", "plain", build.ref], environ)


def last_build(folder: Path, context: Path, since: float) -> Build | None:
    """The last build of `context` that was begun on this machine, `since` or later.

    buildx writes each down before it begins, as `refs/BUILDER/NODE/REF` (`localstate` of docker/buildx).
    """
    begun = ((_modified(path), path) for path in folder.glob("refs/*/*/*"))
    built = os.path.abspath(context)  # noqa: PTH100 - as buildx does it: links are not followed
    for when, path in sorted(begun, reverse=True):
        if when < since:
            break
        if _context(path) == built:
            return Build(builder=path.parent.parent.name, ref=path.name)
    return None


def context_of(written: bytes) -> str | None:
    """Of which folder a build is, by what buildx has written down of it; None where it does not say. Pure."""
    try:
        match parse_json(written):
            case {"LocalPath": str(context)}:
                return context
    except DocumentError:
        pass
    return None


def _context(path: Path) -> str | None:
    try:
        return context_of(read_file(path))
    except (OSError, DocumentError):
        return None


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # `buildx rm`
        return 0


def _asked(arguments: list[str], environ: Mapping[str, str]) -> str:
    try:
        done = subprocess.run(
            arguments,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            # A log is printed there.
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise UnreachableError(f"`buildx history logs` has not ended within {TIMEOUT} s.") from None
    except OSError as error:
        raise UnreachableError(f"buildx cannot be run: {error.strerror}.") from None
    if done.returncode:
        said = shown_as_one_line(done.stdout)[-_SAID:] or "nothing"
        raise UnreachableError(f"`{' '.join(arguments[:-1])}` failed and said: {said}")
    return done.stdout
