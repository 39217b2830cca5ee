"""`.dockerignore`: which files of a repository an image's build does not see.

The rules are applied when a context is staged, not by the build: what is ignored must not be part of the digest, or an
edit of a test would be another image. Pure but for finding the file.
"""

import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from posixpath import normpath

from pathspec import PathSpec
from pathspec.patterns.gitignore.basic import GitIgnoreBasicPattern

from deploytag.documents import DocumentError, read_file
from deploytag.errors import ContentError
from deploytag.repository import tracked_files

IGNORE_FILE = ".dockerignore"

MOST_STARS = 3
"""Each more multiplies the time that a name takes which does not match, by the name's length."""

Rules = PathSpec[GitIgnoreBasicPattern]


def read_rules(repository: Path, name: str) -> Rules:
    """The rules of the ignore file `name`.

    Raises:
        ContentError: it cannot be read, is a link out of the repository, or a pattern means nothing.
    """
    path = repository / name
    if not path.resolve().is_relative_to(repository.resolve()):
        raise ContentError(f"{name} in {repository} is a link out of the repository. Put the file itself there.")
    try:
        return parse_rules(read_file(path).decode(errors="replace"))
    except (OSError, DocumentError) as error:
        raise ContentError(f"{name} in {repository} cannot be read: {error}.") from None


def find_ignore_file(repository: Path, dockerfile: str) -> str | None:
    """The ignore file of a Dockerfile, as BuildKit chooses it: `<Dockerfile>.dockerignore`, else the root's own.

    Raises:
        ContentError: git does not track it, so the next checkout would build something else.
    """
    for name in (f"{dockerfile}{IGNORE_FILE}", IGNORE_FILE):
        if tracked_files(repository, name):
            return name
        if (repository / name).is_file():
            raise ContentError(
                f"{name} in {repository} decides what is built, but git does not track it. Run `git add {name}`."
            )
    return None


def parse_rules(text: str) -> Rules:
    """The rules of an ignore file (https://docs.docker.com/build/concepts/context/#dockerignore-files).

    They are git's, but for two things: a pattern begins at the root, not anywhere, and what `!` takes back is back
    whatever its folder. The second is how `PathSpec` reads git's, too; the first is a slash before each pattern.

    Raises:
        ContentError: a pattern means nothing.
    """
    patterns = list(_anchored(text))
    for pattern in patterns:
        if max(pattern.count("**"), *(part.replace("**", "").count("*") for part in pattern.split("/"))) > MOST_STARS:
            raise ContentError(
                f"the pattern {pattern[:100]!r} of the {IGNORE_FILE} file has too many stars: {MOST_STARS} in one "
                f"name, and {MOST_STARS} times `**`, are what can be matched in reasonable time. Make several of it."
            )
    try:
        # Python remarks on sets like `[[a]` that it may read them in another way one day; nobody here could help it.
        with warnings.catch_warnings(action="ignore", category=FutureWarning):
            return PathSpec.from_lines(GitIgnoreBasicPattern, patterns)
    except (ValueError, re.error) as error:
        raise ContentError(f"a pattern of the {IGNORE_FILE} file means nothing: {error}. Correct it.") from None


def _anchored(text: str) -> Iterator[str]:
    for line in text.removeprefix("\ufeff").splitlines():
        if line.startswith("#"):
            continue
        pattern = line.strip()
        taken_back = "!" if pattern.startswith("!") else ""
        pattern = normpath(pattern.removeprefix("!").strip() or ".").lstrip("/")
        if pattern not in ("", "."):
            yield f"{taken_back}/{pattern}"
