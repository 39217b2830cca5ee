"""Only the lock of an engine that an ended run of ours is known to have started is removed."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deploytag.delivery.recovery.locks import HALF_WRITTEN, SKEW, SeenLock, stale
from deploytag.delivery.store import Holder, Lock
from deploytag.errors import BusyError
from deploytag.identity import identify

IDENTITY = identify("shop", "feature/test")
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Engine:
    host: str = "runner"
    pid: int = 7
    started: datetime = NOW - 10 * MINUTE


def lock(host: str = "runner", pid: int = 7, taken: datetime = NOW - 9 * MINUTE, *, running: bool = False) -> SeenLock:
    holder = Holder(pid=pid, username="ann", hostname=host, timestamp=taken)
    return SeenLock(Lock(Path(f"{host}-{pid}.json"), taken, holder), running)


def half_written(written: datetime) -> SeenLock:
    return SeenLock(Lock(Path("half.json.17ab.tmp"), written, None))


@pytest.mark.parametrize(
    ("locks", "engines", "is_removed"),
    [
        pytest.param([lock()], [Engine()], True, id="our engine's"),
        pytest.param([lock()], [Engine(pid=6), Engine()], True, id="one of our engines'"),
        pytest.param([lock(taken=Engine().started - SKEW)], [Engine()], True, id="clocks differ a little"),
        pytest.param([lock()], [], False, id="no engine was recorded"),
        pytest.param([lock(pid=8)], [Engine()], False, id="another process"),
        pytest.param([lock(host="laptop")], [Engine()], False, id="another host"),
        pytest.param([lock(taken=NOW - 30 * MINUTE)], [Engine()], False, id="older than our engine: a reused pid"),
        pytest.param([lock(running=True)], [Engine()], False, id="its process runs: a reused pid"),
        pytest.param([lock(), lock(host="laptop")], [Engine()], False, id="ours and a person's"),
        pytest.param([half_written(NOW - HALF_WRITTEN)], [], True, id="its writer died in the middle"),
        pytest.param([half_written(NOW)], [Engine()], False, id="its writer may be at it"),
    ],
)
def test_whose_lock_it_is(locks: list[SeenLock], engines: list[Engine], is_removed: bool) -> None:
    if is_removed:
        assert stale(IDENTITY, locks, engines, NOW) == [seen.lock for seen in locks]
    else:
        with pytest.raises(BusyError):
            stale(IDENTITY, locks, engines, NOW)


def test_the_person_is_named_and_what_to_do() -> None:
    with pytest.raises(BusyError) as caught:
        stale(IDENTITY, [lock(), lock(host="laptop", pid=99)], [Engine()], NOW)
    said = str(caught.value)
    assert "ann on laptop (process 99, since 2026-11-23 11:51:00 UTC)" in said
    assert "pulumi cancel --stack feature-test" in said
    assert "runner" not in said


def test_without_locks_nothing_is_stale() -> None:
    assert stale(IDENTITY, [], [Engine()], NOW) == []
