"""Who is acting: one run of a `deploytag` command that changes something."""

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Self
from uuid import uuid4

MARK = "DEPLOYTAG_RUN"
"""Environment variable that everything a run starts carries, so that it is found wherever it went."""

LARGEST_PID = 1 << 22
"""Linux's own limit (PID_MAX_LIMIT)."""


class Action(StrEnum):
    """What a run does to an environment."""

    DEPLOY = "deploy"
    DESTROY = "destroy"
    SLEEP = "sleep"
    WAKE = "wake"
    SYNC = "sync"


class SkippedError(Exception):
    """There is nothing to do any more, and so nothing is done: a run holds the environment, or somebody pushed.

    The text says which.
    """


Still = Callable[[], str | None]
"""Why there is no point in it any more; None while there is."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run. It is written into the lease, so that another run can tell whether this one lives."""

    id: str
    action: Action
    commit: str | None
    """The commit it deploys; None for what is no deployment."""
    host: str
    machine: str
    """Which kernel and which process namespace: only in the same one can another run see this one's processes."""
    pid: int

    @classmethod
    def start(cls, action: Action, commit: str | None) -> Self:
        """The run that this process is about to make."""
        return cls(uuid4().hex, action, commit, socket.gethostname(), this_machine(), os.getpid())

    @property
    def said(self) -> str:
        """How a person is told of it."""
        what = f"{self.action} of {self.commit[:12]}" if self.commit else str(self.action)
        return f"{what} (run {self.id[:8]}, process {self.pid} on {self.host})"


def this_machine() -> str:
    """The kernel's boot and this process's pid namespace."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    namespace = os.readlink("/proc/self/ns/pid")  # noqa: PTH115 - not a path: `pid:[4026531836]`
    return f"{boot}/{namespace}"
