"""Leases between processes on a real API server; and the rules of that server that the simulated one goes by."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from deploytag.api import LEASES
from deploytag.delivery.asking import ConflictError
from deploytag.delivery.cluster import Cluster
from deploytag.delivery.lease.acquire import Leases
from deploytag.delivery.lease.encoding import object_of
from deploytag.delivery.lease.objects import LeaseObjects
from deploytag.delivery.lease.state import Timing, claimed
from deploytag.delivery.run import Action, Run
from deploytag.errors import OwnershipError, UnreachableError
from deploytag.identity import Identity, identify
from deploytag.ownership import SYSTEM_NAMESPACE
from deploytag.preflight.cluster import connect
from tests.e2e.delivery.holder import PROJECT

pytestmark = pytest.mark.e2e

SHORT = 5
LONG = 300
TIMEOUT = 60.0
"""Seconds until a test gives up on a process: far less than LONG, so it never sees one of those expire."""


@dataclass
class Holder:
    """One process of `holder.py`."""

    process: subprocess.Popen[str]
    events: "queue.Queue[dict[str, Any]]" = field(default_factory=queue.Queue)
    deadline: float = 0.0
    """The last one it told."""

    def __post_init__(self) -> None:
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.events.put(json.loads(line))

    def until(self, wanted: str) -> dict[str, Any]:
        """The next event of that name."""
        end = time.monotonic() + TIMEOUT
        while True:
            event = self.events.get(timeout=max(0.0, end - time.monotonic()))
            if event["event"] == "renewed":
                self.deadline = event["deadline"]
            if event["event"] == wanted:
                return event

    def tell(self, word: str) -> None:
        """Give it an order."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()


@pytest.fixture
def cluster() -> Cluster:
    """The sandbox's."""
    return Cluster(connect(os.environ["KUBECONFIG"])[0])


@pytest.fixture
def objects(cluster: Cluster) -> LeaseObjects:
    """Its leases."""
    return LeaseObjects(cluster)


@pytest.fixture
def identity(cluster: Cluster) -> Iterator[Identity]:
    """An environment that no other test has."""
    it = identify(PROJECT, f"feature/{uuid4().hex}")
    yield it
    cluster.api.delete(LEASES, it.namespace, SYSTEM_NAMESPACE, timeout=5)


@pytest.fixture
def start(identity: Identity) -> Iterator[Callable[[int], Holder]]:
    """Starts processes that want the environment's lease, for so many seconds."""
    started: list[subprocess.Popen[str]] = []

    def one(seconds: int) -> Holder:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.delivery.holder", identity.ref, str(seconds)],
            cwd=Path(__file__).parents[3],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return Holder(process)

    yield one
    for process in started:
        process.kill()
        process.communicate()


def a_run() -> Run:
    return Run.start(Action.DESTROY, None)


def test_a_waiter_has_what_is_given_back_without_an_expiry(start: Callable[[int], Holder], identity: Identity) -> None:
    first = start(LONG)
    first.until("held")
    second = start(LONG)
    second.until("waiting")
    first.tell("leave")
    first.until("left")
    assert second.until("held")["previous"] is None
    second.tell("leave")
    second.until("left")


def test_who_was_killed_is_taken_over_when_its_lease_has_expired_and_not_before(
    start: Callable[[int], Holder],
) -> None:
    first = start(SHORT)
    first.until("held")
    first.tell("engine")
    first.until("noted")
    second = start(SHORT)
    second.until("waiting")
    first.until("renewed")
    first.process.kill()
    first.process.wait()
    while not first.events.empty():
        first.until("renewed")
    held = second.until("held")
    assert held["now"] >= first.deadline + Timing(SHORT).margin
    assert held["previous"] == first.process.pid
    assert held["engines"] == [first.process.pid]


def test_who_was_stopped_past_the_expiry_knows_that_it_lost(
    start: Callable[[int], Holder], cluster: Cluster, identity: Identity
) -> None:
    first = start(SHORT)
    first.until("held")
    first.tell("check")
    assert first.until("checked")["complaint"] is None
    second = start(SHORT)
    second.until("waiting")
    first.process.send_signal(signal.SIGSTOP)
    second.until("held")
    first.tell("check")
    first.process.send_signal(signal.SIGCONT)
    assert "lost its lease" in first.until("checked")["complaint"]
    first.tell("leave")
    first.until("left")
    second.tell("check")
    assert second.until("checked")["complaint"] is None
    state = Leases(cluster, SHORT).read(identity)
    assert state is not None
    assert state.run is not None
    assert (state.run.pid, state.transitions) == (second.process.pid, 1)


def test_who_was_stopped_has_lost_it_though_nobody_wanted_it(start: Callable[[int], Holder]) -> None:
    holder = start(SHORT)
    holder.until("renewed")
    holder.process.send_signal(signal.SIGSTOP)
    while time.clock_gettime(time.CLOCK_BOOTTIME) <= holder.deadline + SHORT:
        time.sleep(0.1)
    holder.tell("check")
    holder.process.send_signal(signal.SIGCONT)
    assert "could not be renewed in time" in holder.until("checked")["complaint"]


def test_what_is_written_is_read_and_listed(cluster: Cluster, identity: Identity) -> None:
    leases, run = Leases(cluster, LONG), a_run()
    with leases.acquire(identity, run, patience=0, give_up=lambda: None, waiting=print) as lease:
        lease.engine_started(4711)
        state = leases.read(identity)
        assert state is not None
        assert (state.run, state.live, state.duration) == (run, True, LONG)
        assert [(engine.host, engine.pid) for engine in state.engines] == [(run.host, 4711)]
        assert state.seen is not None
        assert state.renewed is not None
        assert abs(state.seen - state.renewed) < timedelta(seconds=10)
        listed = leases.all(PROJECT)[identity.namespace]
        assert (listed.run, listed.engines) == (run, state.engines)
    left = leases.read(identity)
    assert left is not None
    assert (left.holder, left.run, left.engines) == (None, run, state.engines)
    with leases.acquire(identity, a_run(), patience=0, give_up=lambda: None, waiting=print) as lease:
        assert lease.engines == state.engines
        lease.engines_ended()
    assert leases.read(identity) is None


def test_only_the_version_that_was_seen_is_replaced_or_removed(objects: LeaseObjects, identity: Identity) -> None:
    claim = claimed(identity, a_run(), LONG, None, datetime.now(UTC))
    first = objects.write(identity, claim, 5)
    with pytest.raises(ConflictError):
        objects.write(identity, claim, 5)
    assert objects.write(identity, first, 5).version == first.version, "writing what is there changes nothing"
    second = objects.write(identity, replace(first, renewed=datetime.now(UTC)), 5)
    with pytest.raises(ConflictError):
        objects.write(identity, first, 5)
    with pytest.raises(ConflictError):
        objects.delete(identity, first, 5)
    assert objects.look(identity).state is not None
    objects.delete(identity, second, 5)
    objects.delete(identity, second, 5)
    with pytest.raises(ConflictError):
        objects.write(identity, second, 5)
    assert objects.look(identity).state is None


def test_without_a_uid_writing_makes_a_lease_that_is_gone(cluster: Cluster, identity: Identity) -> None:
    """The API server's rule because of which every write says the uid."""
    objects = LeaseObjects(cluster)
    state = objects.write(identity, claimed(identity, a_run(), LONG, None, datetime.now(UTC)), 5)
    objects.delete(identity, state, 5)
    body = object_of(identity, replace(state, uid=None))
    cluster.api.replace(LEASES, body, SYSTEM_NAMESPACE, timeout=5)
    assert objects.look(identity).state is not None


def test_a_full_second_is_a_time(objects: LeaseObjects, identity: Identity) -> None:
    now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    written = objects.write(identity, claimed(identity, a_run(), LONG, None, now), 5)
    assert written.renewed == now


def test_a_change_ends_a_watch(objects: LeaseObjects, identity: Identity) -> None:
    nothing = objects.look(identity)
    assert not objects.await_change(identity, nothing.position, 1)
    state = objects.write(identity, claimed(identity, a_run(), LONG, None, datetime.now(UTC)), 5)
    # also one from before the watch began
    assert objects.await_change(identity, nothing.position, 60)
    there = objects.look(identity)
    threading.Timer(0.5, objects.delete, (identity, state, 5)).start()
    assert objects.await_change(identity, there.position, 60)
    assert objects.look(identity).state is None


def test_the_lease_of_another_branch_is_left_alone(cluster: Cluster, identity: Identity) -> None:
    objects = LeaseObjects(cluster)
    other = replace(identity, ref="feature/other")
    objects.write(other, claimed(other, a_run(), LONG, None, datetime.now(UTC)), 5)
    with pytest.raises(OwnershipError):
        Leases(cluster, LONG).acquire(identity, a_run(), patience=0, give_up=lambda: None, waiting=print)


def test_without_the_right_it_is_said_which(identity: Identity) -> None:
    api: Any = connect(os.environ["KUBECONFIG"])[0]
    api.client.set_default_header("Impersonate-User", "nobody")
    cluster = Cluster(api)
    with pytest.raises(UnreachableError, match="may not list leases in the namespace deploytag-system"):
        Leases(cluster, LONG).acquire(identity, a_run(), patience=0, give_up=lambda: None, waiting=print)
