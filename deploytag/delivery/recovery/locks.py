"""Whose lock is it? Pure: only a lock that a recorded, ended engine of ours took is removed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from deploytag.delivery.store import Lock
from deploytag.errors import BusyError
from deploytag.identity import Identity

SKEW = timedelta(seconds=5)
"""How far the clock that dated an engine may be ahead of the one that dated its lock."""

HALF_WRITTEN = timedelta(seconds=10)
"""Writing a lock takes microseconds; one that is not whole after so long has no writer any more."""


class EngineProcess(Protocol):
    """An engine that an earlier run started, as the lease remembers it. It has ended since."""

    @property
    def host(self) -> str:
        """Where it ran."""

    @property
    def pid(self) -> int:
        """Its number there."""

    @property
    def started(self) -> datetime:
        """When it was started; aware of its time zone."""


@dataclass(frozen=True, slots=True)
class SeenLock:
    """A lock, and whether the process that it names runs on this machine."""

    lock: Lock
    running: bool = False


def stale(identity: Identity, locks: Iterable[SeenLock], engines: Sequence[EngineProcess], now: datetime) -> list[Lock]:
    """The locks to remove, so that none is left.

    Raises:
        BusyError: at least one belongs to somebody else; it says whom, and none is to be removed.
    """
    removed: list[Lock] = []
    others: list[Lock] = []
    for seen in locks:
        (removed if _is_stale(seen, engines, now) else others).append(seen.lock)
    if others:
        raise BusyError(" ".join(_of_another(identity, lock) for lock in others))
    return removed


def _is_stale(seen: SeenLock, engines: Sequence[EngineProcess], now: datetime) -> bool:
    holder = seen.lock.holder
    if holder is None:
        # It locks nobody out but by not being readable: its writer died before it had a lock.
        return now - seen.lock.written >= HALF_WRITTEN
    return not seen.running and any(
        (engine.host, engine.pid) == (holder.hostname, holder.pid) and holder.timestamp >= engine.started - SKEW
        for engine in engines
    )


def _of_another(identity: Identity, lock: Lock) -> str:
    if lock.holder is None:
        return f"The stack {identity.stack} is just being locked by somebody else ({lock.path}): try again."
    holder = lock.holder
    return (
        f"The stack {identity.stack} is locked by {holder.username} on {holder.hostname} (process {holder.pid}, since "
        f"{holder.timestamp:%Y-%m-%d %H:%M:%S %Z}), and no run of DeployTag took that lock: it was left alone, nothing "
        "was touched. Wait until that command has ended; if it was killed, remove its lock with "
        f"`pulumi cancel --stack {identity.stack}`. Then try again."
    )
