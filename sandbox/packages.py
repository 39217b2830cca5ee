"""The Debian packages the sandbox needs. Installing them starts no service and makes no database cluster."""

import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sandbox.command import run
from sandbox.errors import OWN_CLUSTER, SandboxError
from sandbox.progress import step

PACKAGES = (
    # cluster
    "containerd",
    "runc",
    "etcd-server",
    "containernetworking-plugins",
    "conntrack",  # kube-proxy
    "ipset",  # kube-proxy
    "iptables",
    "socat",  # kubectl port-forward
    # images
    "debootstrap",
    # database
    "postgresql-15",
    # network namespace
    "iproute2",
    "nftables",
)
# What these packages would start at the next boot.
SERVICES = {"containerd": "containerd", "etcd-server": "etcd"}

_MARK = "# Written by DeployTag for one apt-get run; safe to delete.\n"
_NO_SERVICES = Path("/usr/sbin/policy-rc.d")
_NO_CLUSTER = Path("/etc/postgresql-common/createcluster.d/deploytag.conf")
_APT_LISTS = Path("/var/lib/apt/lists")


def ensure() -> None:
    """Install what is missing; a matter of milliseconds when nothing is."""
    absent = missing(PACKAGES)
    if not absent:
        # Also when a run was killed after its last package.
        _restore(_NO_SERVICES)
        _restore(_NO_CLUSTER)
        return
    if os.geteuid() != 0:
        raise SandboxError(
            f"The sandbox needs the Debian packages {', '.join(absent)}, and installing them needs root. "
            f"Run this again as root, or run: apt-get install {' '.join(absent)}. {OWN_CLUSTER}"
        )
    with step(f"Installing {len(absent)} Debian packages", usual="1 min"):
        with ExitStack() as stack:
            stack.enter_context(_temporary(_NO_SERVICES, f"#!/bin/sh\n{_MARK}exit 101\n", 0o755))
            stack.enter_context(_temporary(_NO_CLUSTER, f"{_MARK}create_main_cluster = false\n", 0o644))
            _install(absent)
        _keep_from_booting(absent)


def missing(wanted: Iterable[str]) -> list[str]:
    """Those of the wanted packages that are not installed."""
    wanted = list(wanted)
    command = ["dpkg-query", "--show", "--showformat", "${Package} ${db:Status-Status}\n", *wanted]
    try:
        # It complains about each package it has never heard of; that is part of the answer.
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise SandboxError(f"The sandbox runs on Debian 12: this machine has no dpkg. {OWN_CLUSTER}") from error
    return not_installed(wanted, answer.stdout)


def not_installed(wanted: Iterable[str], status: str) -> list[str]:
    """What of `wanted` the lines "package status" do not call installed, in the order wanted."""
    installed = {
        name for name, _, state in (line.partition(" ") for line in status.splitlines()) if state == "installed"
    }
    return [package for package in wanted if package not in installed]


def _install(absent: list[str]) -> None:
    if any(_APT_LISTS.glob("*_Packages*")):
        try:
            _apt("install", "--no-install-recommends", *absent)
        except SandboxError:
            # Most often the package lists are older than what the mirror has, or an earlier run was interrupted.
            run(["dpkg", "--configure", "-a"], doing="Finishing an interrupted installation", log="dpkg", tied=False)
        else:
            return
    _apt("update")
    _apt("install", "--no-install-recommends", *absent)


def _apt(command: str, *words: str) -> None:
    run(
        ["apt-get", "--yes", "--option", "DPkg::Lock::Timeout=300", command, *words],
        doing=f"apt-get {command} {' '.join(word for word in words if not word.startswith('-'))}".rstrip(),
        log=f"apt-{command}",
        env=os.environ | {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"},
        advice="Check the machine's package sources in /etc/apt, then run this again.",
        # Half an installation stands in the way of the next one.
        tied=False,
    )


def _keep_from_booting(installed: Iterable[str]) -> None:
    """The sandbox starts its own copies; the machine should not start others behind the user's back after a reboot."""
    units = [f"{SERVICES[package]}.service" for package in installed if package in SERVICES]
    if units and shutil.which("systemctl"):
        run(
            ["systemctl", "disable", "--quiet", *units], doing="Keeping services from starting at boot", log="systemctl"
        )


@contextmanager
def _temporary(path: Path, text: str, mode: int) -> Iterator[None]:
    """`path` has this content during the block; what was there before comes back, also after a killed run."""
    made = [folder for folder in path.parents if not folder.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    _restore(path)
    if path.exists():
        path.rename(_saved(path))
    try:
        path.write_text(text)
        path.chmod(mode)
        yield
    finally:
        _restore(path)
        for folder in made:
            if folder.exists() and not any(folder.iterdir()):
                folder.rmdir()


def _restore(path: Path) -> None:
    if path.exists() and _MARK in path.read_text():
        path.unlink()
    if _saved(path).exists():
        _saved(path).rename(path)


def _saved(path: Path) -> Path:
    return path.with_name(f"{path.name}.before-deploytag")
