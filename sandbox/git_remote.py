"""The sandbox's git remote: a bare repository that deploys what is pushed to it, and removes what is deleted there."""

import os
import shlex
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from sandbox import config, paths
from sandbox.errors import SandboxError
from sandbox.files import staged
from sandbox.git import git
from sandbox.layout import Layout
from sandbox.render import render

HOOKS = ("pre-receive", "post-receive")
SETTINGS = {
    "receive.shallowUpdate": "true",  # CI systems push from checkouts without history
    "receive.denyDeleteCurrent": "ignore",  # `main` may be deleted as any branch
    "uploadpack.allowAnySHA1InWant": "true",
}
# The clone whose code the hooks run.
SOURCE = Path(__file__).parent.parent


def ensure(layout: Layout, program: Sequence[str | Path] | None = None) -> None:
    """Make the repository if it is missing, and write its hooks anew: they name the clone that `up` was run from.

    `program` is what the hooks run, with their name as its last argument; `sandbox.hook` unless given.
    """
    if not layout.repository.exists():
        with staged(layout.repository) as folder:
            git("init", "--quiet", "--bare", "--initial-branch=main", "--template=", ".", cwd=folder)
            for name, value in SETTINGS.items():
                git("config", name, value, cwd=folder)
            # A person's own setting may lead to hooks elsewhere. Relative: it is in a temporary place now.
            git("config", "core.hooksPath", "hooks", cwd=folder)
            (folder / "hooks").mkdir()
    for folder in (layout.checkouts, layout.pushes):
        folder.mkdir(parents=True, exist_ok=True)
    for name in HOOKS:
        _write(layout.repository / "hooks" / name, hook(layout, name, program))


def ensure_default_branch(layout: Layout, source: Path = SOURCE) -> None:
    """Give it a default branch with a policy, without which nothing is deployed: the commit of the clone at `source`.

    Once it is there, only the clone's own `main` moves it on, never backwards: pushes to it stay. No hook runs.
    """
    wanted = "refs/heads/main" if _has(layout.repository, "refs/heads/main") else "HEAD"
    if not _has(source, wanted):
        return
    refspec = f"{wanted}:refs/heads/main"
    # A clone that went another way is no reason not to start.
    with suppress(SandboxError):
        git("fetch", "--quiet", "--update-shallow", "--", str(source), refspec, cwd=layout.repository)


def _has(repository: Path, revision: str) -> bool:
    with suppress(SandboxError):
        return bool(git("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}", cwd=repository))
    return False


def hook(layout: Layout, name: str, program: Sequence[str | Path] | None = None) -> str:
    """The text of a hook."""
    # Whoever pushes does so from another shell than `up` was run in.
    variables = {"DEPLOYTAG_SANDBOX": str(layout.root), "DEPLOYTAG_CACHE": str(paths.cache())}
    variables |= {name: value for name, value in os.environ.items() if name.startswith(config.PREFIX)}
    return render(
        "hook.j2",
        quote=shlex.quote,
        name=name,
        program=[str(word) for word in program or (sys.executable, "-P", "-m", "sandbox.hook")],
        variables=variables | {"PYTHONPATH": str(SOURCE)},
    )


def _write(path: Path, text: str) -> None:
    """Replace the file: a push may be running it."""
    if path.exists() and path.read_text() == text:
        return
    temporary = path.with_suffix(".new")
    temporary.write_text(text)
    temporary.chmod(0o755)
    temporary.replace(path)
