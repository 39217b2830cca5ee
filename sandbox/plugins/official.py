"""The official plugins: fetched by the engine's own command, and whether that works here."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from sandbox.files import scratch

# Long enough to fetch one plugin from a working network, short enough to wait for once where there is none.
PROBE_SECONDS = 15
FETCH_SECONDS = 600
# That there is no network may be over tomorrow; that there is one is not asked twice.
_A_NO_STANDS = timedelta(days=1)


def fetch(pulumi: Path, name: str, version: str, directory: Path, seconds: int) -> str | None:
    """Fetch a plugin into `directory`, which stays as it is when that fails; return what went wrong."""
    command = [str(pulumi), "plugin", "install", "resource", name, version]
    # Into a home of its own: what is installed is in use until the new one is whole.
    with scratch(directory.parent) as home:
        environment = os.environ | {"PULUMI_HOME": str(home), "PULUMI_SKIP_UPDATE_CHECK": "true"}
        try:
            done = subprocess.run(
                command,
                env=environment,
                timeout=seconds,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"`pulumi plugin install` gave no answer within {seconds} s"
        except OSError as error:
            return f"{command[0]} cannot be run: {error.strerror}"
        fetched = home / "plugins" / directory.name
        if done.returncode == 0 and (fetched / f"pulumi-resource-{name}").exists():
            shutil.rmtree(directory, ignore_errors=True)
            fetched.rename(directory)
            return None
    complaint = [line for line in done.stderr.splitlines() if line.strip()] or ["it gave no reason"]
    return f"`pulumi plugin install` failed: {complaint[-1].strip()}"


@dataclass(frozen=True)
class Answer:
    """Whether the official plugins can be fetched here, as it was found out at some time."""

    version: str
    """Of the one that was tried."""
    asked: datetime
    problem: str = ""

    @property
    def choice(self) -> Literal["official", "offline"]:
        """What is installed because of it."""
        return "offline" if self.problem else "official"

    @classmethod
    def now(cls, version: str, problem: str | None) -> "Answer":
        """What was just found out."""
        return cls(version, datetime.now(UTC), problem or "")

    @classmethod
    def from_record(cls, record: dict[str, str]) -> "Answer | None":
        """The remembered answer; one in a form of another day counts as none."""
        try:
            return cls(record["version"], datetime.fromisoformat(record["asked"]), record["problem"])
        except (KeyError, TypeError, ValueError):
            return None

    def to_record(self) -> dict[str, str]:
        """As it is remembered."""
        return {"version": self.version, "asked": self.asked.isoformat(), "problem": self.problem}

    def stands(self, version: str, now: datetime) -> bool:
        """Whether there is no need to ask again."""
        return self.version == version and (not self.problem or now - self.asked < _A_NO_STANDS)
