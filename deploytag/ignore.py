"""`.dockerignore`: which files of a repository an image's build does not see.

The rules are applied when a context is staged, not by the build: what is ignored must not be part of the digest, or an
edit of a test would be another image. Pure but for finding the file.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from posixpath import normpath

from pathspec import PathSpec
from pathspec.patterns.gitignore.basic import GitIgnoreBasicPattern

from deploytag.errors import ContentError
from deploytag.repository import tracked_files

IGNORE_FILE = ".dockerignore"

Rules = PathSpec[GitIgnoreBasicPattern]


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
    try:
        return PathSpec.from_lines(GitIgnoreBasicPattern, _anchored(text))
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
