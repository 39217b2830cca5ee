"""Build the Go programs of the sandbox, each once for its content."""

import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from sandbox import golang, paths
from sandbox.command import run
from sandbox.errors import SandboxError
from sandbox.files import exclusive, scratch, staged
from sandbox.golang import Go
from sandbox.programs import Program, content_key, programs
from sandbox.progress import step

FETCH_SECONDS = 600
PROXY_ADVICE = "Check that `go env GOPROXY` is reachable, then run this again: what is built stays built."


def ensure() -> Path:
    """Build what is missing; return the folder to put on PATH. Pulumi plugins are in its sibling `plugins`."""
    return build(programs())


def build(wanted: Iterable[Program]) -> Path:
    """Build some of the programs; return their folder of links."""
    store = paths.cache() / "toolchain"
    go = golang.find()
    homes = {program: store / program.key(go.version) for program in wanted}
    links = store / f"env-{content_key({}, (f'{home.name} {program.bundle}' for program, home in homes.items()))}"
    if links.exists() and all(home.exists() for home in homes.values()):
        return links / "bin"
    with exclusive(store):
        for program, home in homes.items():
            if not home.exists():
                _build(program, go, home)
        # Another command may have made them while this one waited, and something may run from there by now.
        if not links.exists():
            with staged(links) as folder:
                _link(homes, folder)
    return links / "bin"


def _build(program: Program, go: Go, home: Path) -> None:
    with (
        step(f"Building {program.module}", usual=program.usual),
        staged(home) as target,
        scratch(home.parent) as temporary,
    ):
        env = golang.environment(os.environ, go, temporary)
        _fetch(program, go, env)
        run(
            [go.path, "build", *program.flags, "-o", f"{target}/", *program.packages],
            doing=f"Building {program.module}",
            log=f"build-{program.module}",
            cwd=program.folder,
            env=env,
        )
        for module, file in program.files:
            source = _module_folder(program, module, go, env) / file
            shutil.copyfile(source, target / source.name)
            (target / source.name).chmod(0o755)
        missing = [name for name in program.built if not (target / name).exists()]
        if missing:
            raise SandboxError(f"Building {program.module} succeeded but made no {', '.join(missing)}.")


def _fetch(program: Program, go: Go, env: dict[str, str]) -> None:
    """What needs the network, apart from the compiling: only this can hang and is worth a second try."""

    def attempt() -> None:
        run(
            [go.path, "list", "-deps", "-f", "{{.ImportPath}}", *program.packages],
            doing=f"Downloading the Go modules of {program.module}",
            log=f"fetch-{program.module}",
            cwd=program.folder,
            env=env,
            timeout=FETCH_SECONDS,
            advice=PROXY_ADVICE,
        )

    try:
        attempt()
    except SandboxError:
        attempt()


def _module_folder(program: Program, module: str, go: Go, env: dict[str, str]) -> Path:
    command = [str(go.path), "list", "-m", "-f", "{{.Dir}}", module]
    answer = subprocess.run(command, cwd=program.folder, env=env, capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        raise SandboxError(f"Looking for the Go module {module} failed: {answer.stderr.strip()} {PROXY_ADVICE}")
    return Path(answer.stdout.strip())


def _link(homes: dict[Program, Path], folder: Path) -> None:
    (folder / "bin").mkdir()
    (folder / "plugins").mkdir()
    for program, home in homes.items():
        place = folder / ("plugins" if program.plugin else "bin")
        for name in program.commands:
            source = home / (program.built[0] if name in program.aliases else name)
            if program.bundle:
                source = _bundled(source, folder / program.bundle)
            # Relative, so that the cache may be moved.
            (place / name).symlink_to(os.path.relpath(source, place))


def _bundled(source: Path, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    bundled = folder / source.name
    os.link(source, bundled)
    return bundled
