"""What buildx is asked: Docker's command for builders, and for what they have built."""

import shutil
import subprocess
from collections.abc import Mapping

from deploytag.documents import DocumentError, parse_json
from deploytag.errors import UnreachableError
from deploytag.printable import one_line

TIMEOUT = 10
"""Seconds it may take to answer."""

_SAID = 300
"""Characters of a complaint that are repeated."""

_FAILED = "Error"
"""The status of a build's record."""


def command(environ: Mapping[str, str]) -> list[str] | None:
    """How buildx is called: alone where it was installed so, else as Docker's plugin. None: there is neither."""
    path = environ.get("PATH")
    if alone := shutil.which("buildx", path=path):
        return [alone]
    # Whether it has that plugin, it says when it is asked.
    docker = shutil.which("docker", path=path)
    return [docker, "buildx"] if docker else None


def printed(builder: str | None, context: str, environ: Mapping[str, str]) -> str | None:
    """Everything that the last build of a context printed, from the builder's own record; None: that did not fail.

    Args:
        builder: None takes buildx's current one.
        context: the name of the folder that was built, which no other content has.
        environ: with what tells buildx where its configuration and Docker's are.

    Raises:
        UnreachableError: there is no buildx, it is too old to know of records, or the builder does not answer.
    """
    history = command(environ)
    if history is None:
        raise UnreachableError("there is no `docker buildx` and no `buildx` on PATH to ask the builder with.")
    history += ["history", *(["--builder", builder] if builder else [])]
    ref = failed_build(_asked([*history, "ls", "--no-trunc", "--format", "json"], environ), context)
    return _asked([*history, "logs", "--progress", "plain", ref], environ) if ref else None


def failed_build(listing: str, context: str) -> str | None:
    """The newest record of a context in what `buildx history ls --format json` prints, where that build failed. Pure.

    Raises:
        UnreachableError: it is no such list.
    """
    try:
        records = [parse_json(line) for line in listing.splitlines() if line.startswith("{")]
        ours = [record for record in records if context in record["name"]]
        newest = max(ours, key=lambda record: str(record["created_at"]), default=None)
        # A builder's record is called `BUILDER/NODE/REF`.
        return str(newest["ref"]).rpartition("/")[2] if newest and newest["status"] == _FAILED else None
    except (DocumentError, LookupError, TypeError):
        raise UnreachableError("`buildx history ls` printed what is no list of builds.") from None


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
        raise UnreachableError(f"`buildx history` has not answered within {TIMEOUT} s.") from None
    except OSError as error:
        raise UnreachableError(f"buildx cannot be run: {error.strerror}.") from None
    if done.returncode:
        said = one_line(done.stdout)[:_SAID] or "nothing"
        raise UnreachableError(f"`{' '.join(arguments[:3])} …` failed and said: {said}")
    return done.stdout
