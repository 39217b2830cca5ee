"""What a machine looks like from outside the sandbox: everything that `down` has to leave as it was."""

import json
import re
import subprocess
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path

from tests.files import below

# Counters and clocks of the kernel, which change by themselves.
VOLATILE = re.compile(
    r"random|entropy|\.nr$|-nr$|file-nr|inode|dentry|ns_last_pid|_count$|pty|keys\.gc|sched_domain|hung_task|tainted"
    r"|netfilter\.nf_conntrack_(buckets|max)|stat_refresh|quota\.|overflow|flush|gc_|mem_pcpu|core_uses|cad_pid|oops_count"
)
OURS = re.compile(r"deploytag|KUBE-|CNI-|cni0|172\.30\.0\.|172\.31\.255\.|\bdt[01]\b|kubepods|kubelet|hostpath_pv")
SCRATCH = re.compile(r"deploytag-[0-9a-f]{32}")
"""The folder of a run of `deploytag`: one that was killed leaves it to the next of its branch. No sandbox made it."""


@dataclass(frozen=True)
class Machine:
    """A picture of the machine; two are compared field by field."""

    links: frozenset[str]
    routes: frozenset[str]
    rules: frozenset[str]
    mounts: frozenset[str]
    cgroups: frozenset[str]
    sysctls: frozenset[str]
    processes: frozenset[str]
    memory: frozenset[str]
    files: frozenset[str]

    @classmethod
    def now(cls) -> "Machine":
        """Look."""
        return cls(
            links=frozenset(link["ifname"] for link in json.loads(_said("ip", "-json", "link"))),
            routes=_lines("ip", "-4", "route", "show", "table", "all") | _lines("ip", "rule"),
            # Counters and comments with times are no state.
            rules=frozenset(
                line for line in _lines("nft", "list", "ruleset") | _lines("iptables-save") if line[0] != "#"
            ),
            mounts=frozenset(" ".join(line.split()[:4]) for line in Path("/proc/mounts").read_text().splitlines()),
            cgroups=frozenset(str(path) for path in below(Path("/sys/fs/cgroup")) if path.is_dir()),
            sysctls=_sysctls(),
            processes=_processes(),
            memory=_lines("ipcs", "--shmems"),
            files=_files(),
        )

    def changes(self, later: "Machine") -> dict[str, tuple[set[str], set[str]]]:
        """By kind, what came and what went."""
        found = {}
        for field in fields(self):
            before, after = getattr(self, field.name), getattr(later, field.name)
            if before != after:
                found[field.name] = (set(after - before), set(before - after))
        return found

    def traces(self) -> dict[str, set[str]]:
        """By kind, what can only be the sandbox's."""
        found = {field.name: {one for one in getattr(self, field.name) if OURS.search(one)} for field in fields(self)}
        return {kind: those for kind, those in found.items() if those}


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _lines(*command: str) -> frozenset[str]:
    return frozenset(line.strip() for line in _said(*command).splitlines() if line.strip())


def _sysctls() -> frozenset[str]:
    """The kernel's settings as sysctl(8) prints them; a bare machine does not have it."""
    found = set()
    for path in below(Path("/proc/sys")):
        name = ".".join(path.relative_to("/proc/sys").parts)
        if VOLATILE.search(name) or not path.is_file():
            continue
        # Some can only be written, and devices go away.
        with suppress(OSError):
            found.add(f"{name} = {path.read_text(errors='replace').strip()}")
    return frozenset(found)


def _processes() -> frozenset[str]:
    """Processes in other namespaces than this one."""
    found = set()
    own = Path("/proc/self/ns/net").readlink(), Path("/proc/self/ns/pid").readlink()
    for path in Path("/proc").glob("[0-9]*"):
        try:
            spaces = (path / "ns/net").readlink(), (path / "ns/pid").readlink()
            if spaces != own:
                found.add(f"{path.name} {(path / 'comm').read_text().strip()}")
        except OSError:
            continue
    return frozenset(found)


def _files() -> frozenset[str]:
    """What programs leave at fixed places."""
    places = (
        "/run",
        "/run/netns",
        "/var/lib",
        "/var/log",
        "/var/lib/kubelet",
        "/var/lib/cni",
        "/usr/libexec",
        "/opt",
        "/etc",
        "/dev/shm",
    )
    found = {str(path) for place in places for path in Path(place).glob("*")}
    temporary = {path for path in Path("/tmp").glob("*") if OURS.search(path.name) and not SCRATCH.fullmatch(path.name)}
    return frozenset(found | set(map(str, temporary)))
