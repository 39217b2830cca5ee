"""What is known about the running sandbox and about what it changed on the host.

It is kept in /run, the directory that is emptied when the machine restarts, as routes, rules and sysctls are. Where
/run is no such directory, the boot id tells that the record is of an earlier life of the machine.
"""

import json
import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import psutil

from sandbox.errors import SandboxError

RECORD = Path("/run/deploytag-sandbox.json")


@dataclass(frozen=True)
class Record:
    """One sandbox, as started."""

    directory: str
    boot: str
    # The first process inside, by its id on the host, and when it began: ids are used again.
    pid: int = 0
    began: int = 0
    fingerprint: str = ""
    # What the programs inside are started with: the clone and its interpreter.
    source: str = ""
    python: str = ""
    # Whether the services hold what they are to hold from the start: an `up` may end before.
    filled: bool = False
    # Whether the host forwarded packets before; then it goes on doing so.
    forwarded: bool = False
    # Files of the host's kernel that `up` wrote to, and what to write to them in the end.
    undo: dict[str, str] = field(default_factory=dict)

    def process(self) -> psutil.Process | None:
        """The sandbox's first process, if it still runs."""
        try:
            process = psutil.Process(self.pid) if self.pid else None
            if process and began(self.pid) == self.began and process.status() != psutil.STATUS_ZOMBIE:
                return process
        except (psutil.NoSuchProcess, ProcessLookupError, FileNotFoundError):
            pass
        return None

    @property
    def homeless(self) -> str | None:
        """The file or folder that the programs inside are started with and that is gone: they could not start again.

        As they see it: in the folders that the sandbox has for itself (`/tmp`), what was deleted and made again on the
        host stays gone for them.
        """
        inside = Path("/proc", str(self.pid), "root") if self.process() else Path("/")
        needed = {self.source: Path(self.source, "sandbox"), self.python: Path(self.python)}
        return next((path for path, file in needed.items() if path and not _listed(inside, file)), None)

    def started(self, process: psutil.Process) -> "Record":
        """The same with its first process."""
        return replace(self, pid=process.pid, began=began(process.pid))


def _listed(root: Path, file: Path) -> bool:
    """Whether its folder has the file, as `root` sees it: asked for by name alone, what is gone may still answer."""
    try:
        return file.name in os.listdir(root.joinpath(file.parent.relative_to("/")))  # noqa: PTH208 - names are enough
    except OSError:
        return False


def began(pid: int) -> int:
    """When a process began, in ticks since the boot: unlike a time of day it never changes when the clock is set."""
    # The name, second and in parentheses, may hold anything; the start is field 22.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[19])


def boot_id() -> str:
    """Differs between two starts of the machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def read() -> Record | None:
    """The record of this boot, or None."""
    try:
        written = json.loads(RECORD.read_text())
        # Another version of this code may have written more.
        record = Record(**{key: value for key, value in written.items() if key in Record.__dataclass_fields__})
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, AttributeError) as error:
        raise SandboxError(
            f"{RECORD} is not a record of a sandbox ({error}). "
            "Delete it; `python -m sandbox down` then removes what it finds by other means."
        ) from error
    return record if record.boot == boot_id() else None


def write(record: Record) -> None:
    """Replace the record; never half of it."""
    temporary = RECORD.with_suffix(".new")
    temporary.write_text(json.dumps(asdict(record), indent=2))
    temporary.replace(RECORD)


def remove() -> None:
    """Forget it."""
    RECORD.unlink(missing_ok=True)


def new(directory: Path) -> Record:
    """A record with nothing done yet."""
    return Record(directory=str(directory), boot=boot_id())


def refuse_foreign(record: Record | None, directory: Path) -> None:
    """There is one sandbox per machine: say whose is running."""
    if record and record.directory != str(directory) and record.process():
        raise SandboxError(
            f"Another sandbox runs on this machine, from {record.directory} (process {record.pid}); there can be one. "
            f"Use it (DEPLOYTAG_SANDBOX={record.directory}) or end it "
            f"(DEPLOYTAG_SANDBOX={record.directory} python -m sandbox down)."
        )


def alive(directory: Path) -> Record | None:
    """The record of the running sandbox of this directory, or None."""
    record = read()
    return record if record and record.directory == str(directory) and record.process() else None
