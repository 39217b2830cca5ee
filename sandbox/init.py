"""The first process inside the sandbox: prepares the private view of the machine, then becomes supervisord.

It starts in new network, mount, pid and control group namespaces. Whatever it mounts or sets is seen by the sandbox
only, and the kernel takes it away when this process ends, together with every process started here.
"""

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

# Directories of the host that containerd, CNI, the kubelet or the controller manager write to at fixed paths.
SHADOWED = ("/var/lib", "/var/log", "/tmp")  # noqa: S108 - that it is shared is the reason

# What the kubelet wants the kernel to be set to. It finds these values in ordinary files mounted over the real ones,
# so the host's own values stay as they are.
PRETENDED = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}


@dataclass(frozen=True)
class Plan:
    """What `up` tells this process."""

    directories: list[str]  # stay writable wherever they are: the sandbox's own and the cache
    cgroups: list[tuple[str, str]]  # mount point and options of every hierarchy
    resolv_conf: str
    links: list[str]  # lines for `ip -batch`
    database: str  # the database's files
    volumes: str  # the data of persistent volumes
    scratch: str  # an empty directory
    supervisord: list[str]


def main() -> None:
    """Prepare everything and become supervisord."""
    plan = Plan(**json.loads(Path(sys.argv[1]).read_text()))
    own_run_directory(plan)
    # PostgreSQL's shared memory, which a killed one leaves behind.
    mount("-t", "tmpfs", "-o", "mode=1777", "deploytag-shm", "/dev/shm")  # noqa: S108
    for directory in SHADOWED:
        shadow(Path(directory), plan.directories)
    volumes(plan.volumes)
    for name, value in PRETENDED.items():
        pretend(Path("/proc/sys") / name, value)
    own_resolv_conf(plan.resolv_conf)
    # `up` answers when it has plugged in the network cable, which it can do only after this process exists.
    if not sys.stdin.readline():
        sys.exit("`up` ended before it had connected the network")
    # By now `up` has also moved this process out of the group whose controllers are to be handed out.
    for mountpoint, options in plan.cgroups:
        own_cgroups(Path(mountpoint), options)
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    subprocess.run(["ip", "-batch", "-"], input="\n".join(plan.links) + "\n", text=True, check=True)
    os.execv(plan.supervisord[0], plan.supervisord)  # noqa: S606


def mount(*arguments: str) -> None:
    """mount(8); one that fails is a defect of ours or of the machine and ends the start."""
    # Without a note in /run/mount, which is among the directories replaced.
    subprocess.run(["mount", "--no-mtab", *arguments], check=True)


def own_run_directory(plan: Plan) -> None:
    """A private /run: sockets, pid files and network namespaces of containers stay inside."""
    # Prepared aside and then moved into place, because a directory to keep may itself be below /run.
    aside = Path(plan.scratch)
    mount("-t", "tmpfs", "-o", "mode=755", "deploytag-run", plan.scratch)
    for directory in plan.directories:
        if Path(directory).is_relative_to("/run"):
            place = aside / Path(directory).relative_to("/run")
            place.mkdir(parents=True)
            mount("--rbind", directory, str(place))
    mount("--move", plan.scratch, "/run")
    # The database's user may not look into the home directory that our own directory is usually in.
    Path("/run/database/data").mkdir(parents=True)
    mount("--bind", plan.database, "/run/database/data")


def volumes(source: str) -> None:
    """The controller manager's own provisioner knows one place for volumes; their data is to survive."""
    place = Path("/tmp/hostpath_pv")  # noqa: S108
    place.mkdir(exist_ok=True)
    mount("--bind", source, str(place))


def own_resolv_conf(source: str) -> None:
    """The nameservers that `up` chose, because the host's file may name one on the host's own loopback address."""
    target = Path("/etc/resolv.conf").resolve()
    if target.is_relative_to("/run"):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    mount("--bind", source, str(target))


def shadow(directory: Path, kept: list[str]) -> None:
    """What is written to `directory` from here on goes to memory, except below the directories to keep."""
    scratch = Path("/run/shadow") / directory.name
    upper, work, below = (scratch / name for name in ("upper", "work", "kept"))
    for path in (upper, work, below):
        path.mkdir(parents=True)
    inside = [path for path in kept if Path(path).is_relative_to(directory)]
    for number, keep in enumerate(inside):
        (below / str(number)).mkdir()
        mount("--bind", keep, str(below / str(number)))
    mount("-t", "overlay", "deploytag", "-o", f"lowerdir={directory},upperdir={upper},workdir={work}", str(directory))
    for number, keep in enumerate(inside):
        mount("--bind", str(below / str(number)), keep)


def own_cgroups(mountpoint: Path, options: str) -> None:
    """Mount the hierarchy again: in this namespace its root is the sandbox's group."""
    if not options:
        mount("-t", "cgroup2", "cgroup2", str(mountpoint))
        controllers = (mountpoint / "cgroup.controllers").read_text().split()
        (mountpoint / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in controllers))
        return
    if not (parent := mountpoint.parent).joinpath(".deploytag").exists():
        names = {path.name: path.readlink() for path in parent.iterdir() if path.is_symlink()}
        mount("-t", "tmpfs", "-o", "mode=755", "deploytag-cgroups", str(parent))
        (parent / ".deploytag").touch()
        for name, target in names.items():
            (parent / name).symlink_to(target)
    mountpoint.mkdir()
    mount("-t", "cgroup", "-o", options, "cgroup", str(mountpoint))


def pretend(path: Path, value: str) -> None:
    """Show `value` at `path`, and let it be written without effect."""
    if path.exists():
        stand_in = Path("/run/sysctls") / path.name
        stand_in.parent.mkdir(exist_ok=True)
        stand_in.write_text(f"{value}\n")
        mount("--bind", str(stand_in), str(path))


def dump(plan: Plan) -> str:
    """The plan as this module reads it."""
    return json.dumps(asdict(plan), indent=2)


if __name__ == "__main__":
    main()
