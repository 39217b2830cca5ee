"""Git commands of the sandbox's own."""

import os
import shlex
import subprocess
from pathlib import Path

from sandbox.errors import SandboxError

REMOTE = "sandbox"
"""What checkouts call the sandbox's git remote."""


def git(*arguments: str, cwd: Path) -> str:
    """What a git command prints, run on the repository of `cwd` whatever a hook or a shell has set.

    Raises:
        SandboxError: it failed.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(
        ["git", *arguments],
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip()
        raise SandboxError(f"`{shlex.join(['git', *arguments])}` failed in {cwd}: {said}")
    return os.fsdecode(done.stdout).strip()
