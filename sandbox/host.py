"""The few settings of the host's kernel that the sandbox needs changed, and how to put them back."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

# What the kubelet divides among pods. Version 1 of control groups has a hierarchy for each and needs no permission.
CONTROLLERS = frozenset({"cpu", "cpuset", "io", "memory", "pids", "hugetlb"})

FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")


@dataclass(frozen=True)
class Change:
    """A file of the kernel, what to write to it, and what to write to undo that."""

    path: Path
    wanted: str
    undo: str


def forwarding(devices: Iterable[str], root: Path = Path("/proc/sys/net/ipv4/conf")) -> list[Change]:
    """The host forwards between the sandbox's cable and the way out; other devices stay as they are."""
    return [
        Change(root / device / "forwarding", "1", "0")
        for device in devices
        if _text(root / device / "forwarding") == "0"
    ]


def delegation(mountpoint: Path) -> list[Change]:
    """Controllers that a group below the root of a version 2 hierarchy may use, where that is not so yet."""
    switch = mountpoint / "cgroup.subtree_control"
    there = set(_text(mountpoint / "cgroup.controllers").split())
    missing = sorted((there & CONTROLLERS) - set(_text(switch).split()))
    return (
        [Change(switch, " ".join(f"+{name}" for name in missing), " ".join(f"-{name}" for name in missing))]
        if missing
        else []
    )


def forwards() -> bool:
    """Whether the host forwards between all its devices."""
    return _text(FORWARDING) == "1"


def restore(undo: Mapping[str, str], *, forwarded: bool) -> None:
    """Undo changes: what to write by file. `forwarded` is what `forwards` said before them."""
    # Somebody, Docker for example, let the host forward meanwhile: then it has to go on.
    turned_on = forwards() and not forwarded
    for path, value in undo.items():
        file = Path(path)
        # The device may be gone.
        if not file.exists() or (turned_on and file.name == "forwarding"):
            continue
        # A controller is busy when groups of somebody else's have come to use it.
        with suppress(OSError):
            file.write_text(value)


def _text(path: Path) -> str:
    return path.read_text().strip() if path.exists() else ""
