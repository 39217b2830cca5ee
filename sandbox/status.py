"""The table of `status`: what each part is doing, where, in which version and how much memory it takes."""

import json
import re
import subprocess
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
from rich.table import Table

from sandbox import machine, record
from sandbox.lifecycle import Sandbox, toolchain_bin
from sandbox.probes import Probes
from sandbox.services import Part, parts
from sandbox.starting import unready
from sandbox.supervisor import NotListeningError, Supervisor

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True)
class PartStatus:
    """One row."""

    part: str
    state: str
    address: str
    version: str
    memory_mib: int | None
    detail: str = ""


@dataclass(frozen=True)
class Status:
    """The whole table."""

    directory: str
    parts: tuple[PartStatus, ...]
    plugins: dict[str, str]
    pods_mib: int

    @property
    def complete(self) -> bool:
        """Whether everything answers."""
        return all(row.state == "running" for row in self.parts)

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self) | {"complete": self.complete}

    def table(self) -> Table:
        """For people."""
        table = Table(box=None, header_style="bold", pad_edge=False)
        for column in ("part", "state", "address", "version"):
            table.add_column(column, overflow="fold")
        table.add_column("memory", justify="right")
        for row in self.parts:
            colour = "green" if row.state == "running" else "red"
            memory = "" if row.memory_mib is None else f"{row.memory_mib} MiB"
            state = f"[{colour}]{row.state}[/]" + (f": {row.detail}" if row.detail else "")
            table.add_row(row.part, state, row.address, row.version, memory)
        for name, origin in self.plugins.items():
            table.add_row(f"plugin {name}", origin.partition(" ")[2], "", origin.partition(" ")[0], "")
        return table

    def summary(self) -> str:
        """The lines below the table."""
        own = sum(row.memory_mib or 0 for row in self.parts)
        return f"\n{own} MiB in all, and {self.pods_mib} MiB in pods and builds. Data and logs: {self.directory}"


def collect(sandbox: Sandbox) -> Status:
    """Ask every part."""
    machine.check()
    programs = toolchain_bin(sandbox)
    everything = parts(sandbox.config, sandbox.layout, programs)
    current = record.alive(sandbox.layout.root)
    if not current:
        return _without_answers(sandbox, everything, "down")
    try:
        missing = unready(everything, sandbox.layout, Probes(sandbox.config, sandbox.layout, programs))
        states = Supervisor(sandbox.layout.supervisor_socket).states()
    except NotListeningError:
        return _without_answers(sandbox, everything, "starting")
    memory = _memory(current.pid, {state.pid: state.name for state in states.values() if state.pid})
    rows = tuple(
        PartStatus(
            part.name,
            _state(states[part.name].state, answers=part.name not in missing),
            part.address,
            version_of(part),
            memory.get(part.name, 0) // MEBIBYTE,
            missing.get(part.name, ""),
        )
        for part in everything
    )
    own = PartStatus("supervisord", "running", f"process {current.pid}", "", memory.get("", 0) // MEBIBYTE)
    return Status(str(sandbox.layout.root), (own, *rows), _plugins(sandbox), memory.get("pods", 0) // MEBIBYTE)


def _without_answers(sandbox: Sandbox, everything: Iterable[Part], state: str) -> Status:
    rows = tuple(PartStatus(part.name, state, part.address, version_of(part), None) for part in everything)
    return Status(str(sandbox.layout.root), rows, _plugins(sandbox), 0)


def _state(said: str, *, answers: bool) -> str:
    if said == "RUNNING":
        return "running" if answers else "silent"
    return said.lower()


def version_of(part: Part, seconds: float = 5) -> str:
    """The version of a part: known, or as the program prints it."""
    if isinstance(part.version, str):
        return part.version.removeprefix("v")
    try:
        printed = subprocess.run(part.version, capture_output=True, text=True, check=False, timeout=seconds).stdout
    except subprocess.TimeoutExpired:
        return "gives no answer"
    except OSError:
        return "not installed"
    found = re.search(r"\d+\.\d+(?:\.\d+)?", printed)
    return found[0] if found else ""


def _plugins(sandbox: Sandbox) -> dict[str, str]:
    """What the installer wrote down: version and source of each plugin."""
    try:
        text = (sandbox.layout.pulumi_home / "deploytag-plugins.json").read_text()
    except FileNotFoundError:
        return {}
    return {
        name: f"{entry['version']} {entry['source']}" for name, entry in json.loads(text).items() if "source" in entry
    }


@dataclass(frozen=True)
class Process:
    """What is known of one process of the sandbox."""

    host_pid: int
    parent: int
    inner_pid: int
    memory: int


def _memory(first: int, names: dict[int, str]) -> dict[str, int]:
    """Bytes by part, with "" for supervisord itself and "pods" for what no part started."""
    namespace = Path(f"/proc/{first}/ns/pid").readlink()
    found: dict[int, Process] = {}
    for process in psutil.process_iter():
        try:
            if Path(f"/proc/{process.pid}/ns/pid").readlink() == namespace or process.pid == first:
                found[process.pid] = Process(process.pid, process.ppid(), _inner_pid(process.pid), _rss(process))
        except (OSError, psutil.Error):
            continue  # it ended meanwhile
    return attribute(found.values(), first, names)


def attribute(processes: Iterable[Process], first: int, names: dict[int, str]) -> dict[str, int]:
    """Add up the memory of each part and everything it started."""
    by_pid = {process.host_pid: process for process in processes}
    total: dict[str, int] = {}
    for process in by_pid.values():
        owner, current = "pods", process
        while current.host_pid != first:
            if current.inner_pid in names:
                owner = names[current.inner_pid]
                break
            if current.parent not in by_pid:
                break
            current = by_pid[current.parent]
        if process.host_pid == first:
            owner = ""
        total[owner] = total.get(owner, 0) + process.memory
    return total


def _inner_pid(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("NSpid:"):
            return int(line.split()[-1])
    return 0


def _rss(process: psutil.Process) -> int:
    # Shared pages counted once where the kernel tells: PostgreSQL's processes share most of theirs.
    memory = process.memory_full_info()
    return int(getattr(memory, "pss", 0) or memory.rss)
