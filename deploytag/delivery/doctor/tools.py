"""The programs and Python packages of this machine, and the builder."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from deploytag import buildx
from deploytag.delivery.doctor.findings import Finding, ok, problem, warning
from deploytag.delivery.project import PulumiProject
from deploytag.errors import ContentError, UsageError
from deploytag.preflight.endpoints import builder_endpoint
from deploytag.preflight.reach import unreachable

LOCK = Path(".deploytag", "requirements.txt")
"""The lock that `deploytag init` puts into an application's repository."""

SHIPPED_LOCK = files("deploytag").joinpath("templates", "requirements.txt")
"""The lock that DeployTag was tested with."""

TIMEOUT = 10
"""Seconds a program may take to say its version."""


def pulumi(environ: Mapping[str, str]) -> Iterator[Finding]:
    """The engine, which must be the version of the SDK, and its Python host."""
    sdk = version("pulumi")
    found = tool_version("pulumi", ["version"], environ)
    install = "Install it: https://www.pulumi.com/docs/install/"
    if found is None:
        yield problem("there is no pulumi command on PATH", install)
        return
    if found == sdk:
        yield ok(f"{found}, as the SDK")
    else:
        level = problem if found.split(".")[0] != sdk.split(".")[0] else warning
        yield level(f"the command is {found} and the SDK {sdk}", f"Install {sdk}: https://www.pulumi.com/docs/install/")
    if _which("pulumi-language-python", environ) is None:
        yield problem("there is no pulumi-language-python on PATH, which runs the program", install)


def helm(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Helm 3, which renders the chart before anything is made."""
    found = tool_version("helm", ["version", "--template", "{{.Version}}"], environ)
    cure = "Install Helm 3: https://helm.sh/docs/intro/install/"
    if found is None:
        yield problem("there is no helm command on PATH", cure)
    elif found.split(".")[0] != "3":
        yield warning(f"{found}: charts are installed as by Helm 3, and another may render them differently", cure)
    else:
        yield ok(found)


def git(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Git itself."""
    found = tool_version("git", ["version"], environ)
    yield ok(found) if found else problem("there is no git command on PATH", "Install git.")


def uv(project: PulumiProject, environ: Mapping[str, str]) -> Iterator[Finding]:
    """uv, where `Pulumi.yaml` names it as the toolchain."""
    if project.options.toolchain != "uv":
        yield ok(f"not needed: Pulumi.yaml names the toolchain {project.options.toolchain}")
        return
    found = tool_version("uv", ["--version"], environ)
    cure = "Install it: https://docs.astral.sh/uv/"
    yield ok(found) if found else problem("there is no uv command on PATH, which Pulumi.yaml asks for", cure)


def packages(root: Path) -> Iterator[Finding]:
    """The installed packages against the lock: the checkout's own, else the one DeployTag was tested with."""
    own = root / LOCK
    name, lock = (str(LOCK), own) if own.is_file() else ("DeployTag's own lock", SHIPPED_LOCK)
    text = lock.read_text()
    if (package := own.with_name("package.txt")).is_file():
        text += package.read_text()
    locked = lock_versions(text)
    others = [
        f"{package} {found or 'missing'} (locked: {wanted})"
        for package, wanted in locked.items()
        if (found := installed(package)) != wanted
    ]
    if not others:
        yield ok(f"{len(locked)} packages, as in {name}, in {sys.prefix}")
        return
    shown = ", ".join(others[:5]) + (f" and {len(others) - 5} more" if len(others) > 5 else "")
    missing = any(installed(package) is None for package in locked)
    said, cure = f"not as in {name}: {shown}", f"Install them: `{sys.executable} -m pip install -r {lock}`."
    yield problem(said, cure, ContentError) if missing else warning(said, cure)


def lock_versions(text: str) -> dict[str, str]:
    """The packages of a requirements file that are pinned and wanted on this machine, by canonical name."""
    pinned: dict[str, str] = {}
    for line in text.splitlines():
        wanted = line.partition(" #")[0].partition(" --hash")[0].strip().rstrip("\\").strip()
        if not wanted or wanted.startswith(("#", "-")):
            continue
        try:
            requirement = Requirement(wanted)
        except InvalidRequirement:
            continue  # a path or a URL without a name: pip takes it, and it pins nothing that could be compared
        exact = re.fullmatch(r"==([^*]+)", str(requirement.specifier))
        if exact and (requirement.marker is None or requirement.marker.evaluate()):
            pinned[canonicalize_name(requirement.name)] = exact[1]
    return pinned


def installed(package: str) -> str | None:
    """Its version; None when it is missing."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def environment(root: Path, project: PulumiProject) -> Iterator[Finding]:
    """Whether the program will run in the environment that this command runs in."""
    named = project.options.virtualenv
    if named is None:
        yield warning("Pulumi.yaml names no virtual environment", "Set runtime.options.virtualenv.")
        return
    path = root / named
    if not (path / "bin" / "python").exists():
        yield problem(f"{named} (Pulumi.yaml: virtualenv) does not exist", "Make it: `./deploytag.sh`.", ContentError)
    elif path.resolve() != Path(sys.prefix).resolve():
        yield warning(
            f"Pulumi runs the program in {named}, and this command runs in {sys.prefix}",
            f"Run {named}/bin/deploytag, so that both are the same DeployTag.",
        )
    else:
        yield ok(f"{named}, which runs this command, too")


def builder(project: PulumiProject, environ: Mapping[str, str]) -> Iterator[Finding]:
    """The buildx builder that builds the images."""
    name = project.default("builder")
    endpoint = builder_endpoint(name, environ)
    if endpoint is not None:
        complaints = asyncio.run(unreachable([endpoint]))
        yield problem(complaints[0], "Start it.") if complaints else ok(f"{name} at {endpoint.address}")
        return
    cure = "Name a remote builder in the stack's config `builder`, or start Docker."
    asked = buildx.command(environ)
    if asked is None:
        yield warning(f"no buildx command, so {name or 'the current builder'} could not be asked", cure)
        return
    # Without `--bootstrap`: a builder that only sleeps is started by the build.
    done = _run([*asked, "inspect", *([name] if name else [])], environ)
    if done is None or done.returncode:
        yield problem(f"buildx has no usable builder {name or ''}".rstrip() + _last_line(done), cure)
    else:
        yield ok(_field(done.stdout, "Name") or name or "the current builder")


def tool_version(name: str, arguments: list[str], environ: Mapping[str, str]) -> str | None:
    """`3.259.0` of whatever the tool prints; None when there is no such command.

    Raises:
        UsageError: it does not say.
    """
    path = _which(name, environ)
    if path is None:
        return None
    done = _run([path, *arguments], environ)
    found = re.search(r"\d+\.\d+\.\d+", done.stdout) if done else None
    if found is None:
        raise UsageError(f"{path} does not say its version{_last_line(done)}.")
    return found[0]


def _which(name: str, environ: Mapping[str, str]) -> str | None:
    return shutil.which(name, path=environ.get("PATH"))


def _run(command: list[str], environ: Mapping[str, str]) -> subprocess.CompletedProcess[str] | None:
    """None: it did not end in time."""
    try:
        return subprocess.run(
            command,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None


def _last_line(done: subprocess.CompletedProcess[str] | None) -> str:
    if done is None:
        return f": it has not ended within {TIMEOUT} s"
    lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
    return f": {lines[-1]}" if lines else ""


def _field(text: str, name: str) -> str | None:
    found = re.search(rf"^{name}:\s*(\S+)", text, re.M)
    return found[1] if found else None
