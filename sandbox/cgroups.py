"""The control groups that hold every process of the sandbox, and by which they are found again.

Works with both layouts: version 1, one hierarchy per controller, and version 2, a single one.
"""

import os
import signal
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

GROUP = "deploytag-sandbox"
LEAF = "init"


@dataclass(frozen=True)
class Hierarchy:
    """One mounted hierarchy of control groups."""

    mountpoint: Path
    options: str  # what `mount -o` needs to mount the same again; empty for version 2

    @property
    def unified(self) -> bool:
        """Version 2."""
        return not self.options

    @cached_property
    def group(self) -> Path:
        """Our group in it."""
        return self.mountpoint / GROUP

    def groups(self) -> Iterator[Path]:
        """Our group and all in it, the innermost first, but for those that go away meanwhile."""
        for folder, _, _ in os.walk(self.group, topdown=False):
            yield Path(folder)


def hierarchies(mounts: str | None = None) -> list[Hierarchy]:
    """The hierarchies of this machine, from the text of /proc/mounts."""
    lines = [line.split() for line in (mounts or Path("/proc/self/mounts").read_text()).splitlines()]
    first = [Hierarchy(Path(point), _controllers(options)) for _, point, kind, options, *_ in lines if kind == "cgroup"]
    if first:
        return list(dict.fromkeys(first))
    return [Hierarchy(Path(point), "") for _, point, kind, *_ in lines if kind == "cgroup2"][:1]


def _controllers(options: str) -> str:
    flags = {"rw", "ro", "nosuid", "nodev", "noexec", "relatime", "noatime", "clone_children", "xattr"}
    kept = [option for option in options.split(",") if option not in flags and not option.startswith("release_agent")]
    return ",".join(["none", *kept] if any(option.startswith("name=") for option in kept) else kept)


def create() -> list[Path]:
    """Make our group in every hierarchy and return the files that a process enters them by."""
    entries = []
    for hierarchy in hierarchies():
        hierarchy.group.mkdir(exist_ok=True)
        # A new cpuset is empty, and a process cannot enter an empty one.
        for name in ("cpuset.cpus", "cpuset.mems"):
            if not hierarchy.unified and (hierarchy.group / name).exists():
                (hierarchy.group / name).write_text((hierarchy.mountpoint / name).read_text())
        entries.append(hierarchy.group / "cgroup.procs")
    return entries


def vacate(pids: Iterable[int]) -> None:
    """In version 2 a group holds processes or hands out controllers: move these into a group of their own."""
    for hierarchy in hierarchies():
        if hierarchy.unified:
            (hierarchy.group / LEAF).mkdir(exist_ok=True)
            for pid in pids:
                (hierarchy.group / LEAF / "cgroup.procs").write_text(str(pid))


def processes() -> set[int]:
    """Every process in our groups, by its id on the host."""
    found: set[int] = set()
    for hierarchy in hierarchies():
        for group in hierarchy.groups():
            # A group, or a process in it, may go away while we look.
            try:
                found |= {int(word) for word in (group / "cgroup.procs").read_text().split()}
            except OSError:
                continue
    # 0 stands for a process of another pid namespace.
    return found - {0, os.getpid()}


def remove(patience: float = 20.0) -> None:
    """End what is left in our groups and remove them."""

    @retry(retry=retry_if_exception_type(OSError), stop=stop_after_delay(patience), wait=wait_fixed(0.05), reraise=True)
    def attempt() -> None:
        for pid in processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        for hierarchy in hierarchies():
            for group in hierarchy.groups():
                group.rmdir()

    attempt()
