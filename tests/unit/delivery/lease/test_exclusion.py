"""Whatever dies, stops, is cut off or comes late: two runs never hold one lease, and it is never held for ever."""

import logging
import math
import threading
from dataclasses import dataclass, field
from functools import partial
from uuid import UUID

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from deploytag.delivery.lease.holding import Lease
from deploytag.delivery.run import Action, Run
from deploytag.errors import BusyError, UnreachableError
from deploytag.identity import identify
from tests.unit.delivery.lease.fake_leases import LeaseServer, leases
from tests.unit.delivery.lease.simulation import Process, World

IDENTITY = identify("shop", "feature/test")
SECONDS = 30
END = 150.0
NEVER = threading.Event()


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "deploytag.delivery.lease.holding")


@dataclass
class Claims:
    """Until when each process holds the lease, in the world's time."""

    world: World
    until: dict[Process, float] = field(default_factory=dict)
    begun: int = 0
    ended: set[str] = field(default_factory=set)

    def extend(self, process: Process, run: Run, deadline: float) -> None:
        """A run of the process was told its deadline."""
        if run.id in self.ended:
            return  # nothing of it acts any more, whatever its last renewal brings
        others = {other.number: until for other, until in self.until.items() if other is not process}
        late = {number: until for number, until in others.items() if until > self.world.time}
        assert not late or process.when(deadline) <= self.world.time, f"{process.number} holds it as well as {late}"
        self.until[process] = process.when(deadline)

    def end(self, process: Process, run: Run) -> None:
        """Nothing of the run acts any more."""
        self.ended.add(run.id)
        self.until.pop(process, None)


@dataclass(frozen=True)
class Fault:
    """Something that happens to a process."""

    process: int
    kind: str
    at: float
    length: float

    def strike(self, process: Process) -> None:
        """Let it happen."""
        until = self.at + self.length
        match self.kind:
            case "kill":
                process.kill()
            case "stop":
                process.stopped_until = max(until, process.stopped_until)
            case "cut off":
                process.cut_off_until = max(until, process.cut_off_until)
            case "deafen":
                process.deafened_until = max(until, process.deafened_until)


FAULTS = st.lists(
    st.builds(
        Fault,
        process=st.integers(0, 3),
        kind=st.sampled_from(["kill", "stop", "stop", "cut off", "deafen"]),
        at=st.floats(0, END),
        length=st.floats(0.1, 90),
    ),
    max_size=12,
)


@given(
    seed=st.integers(0, 2**32),
    faults=FAULTS,
    paces=st.lists(st.floats(0.95, 1.05), min_size=4, max_size=4),
    straggling=st.sampled_from([0.0, 0.02, 0.2]),
    seconds=st.sampled_from([5, 30, 60]),
)
# Without shrinking, which would take minutes: a seed and its faults say enough.
@settings(max_examples=40, phases=[Phase.generate])
def test_two_never_hold_it(seed: int, faults: list[Fault], paces: list[float], straggling: float, seconds: int) -> None:
    world = World(seed)
    server = LeaseServer(world)
    server.straggling = straggling
    claims = Claims(world)
    try:
        for pace in paces:
            world.process(lambda process: contend(process, server, claims, seconds), pace=pace)
        for fault in faults:
            world.at(fault.at, partial(fault.strike, world.processes[fault.process]))
        world.run(END)

        # Whatever became of them: when all are dead, the next one gets the lease as soon as it has expired.
        for process in world.processes:
            process.kill()
        server.straggling = 0.0
        last: list[float] = []
        world.process(lambda process: last.append(take_once(process, server, claims, seconds)), start=END)
        world.run()
        assert last
        assert last[0] <= END + seconds + 30, "a write that came late may renew it once more"
    finally:
        world.close()


@pytest.mark.parametrize("seed", range(20))
def test_each_of_many_gets_it_in_the_end_and_nobody_waits_for_an_expiry(seed: int) -> None:
    world = World(seed)
    server, claims = LeaseServer(world), Claims(world)
    done: list[float] = []
    try:
        for _ in range(10):
            world.process(lambda process: done.append(take_once(process, server, claims, SECONDS)))
        world.run()
        assert len(done) == 10
        assert world.time < 10 * 3, "each works for a second and gives it back; the next has it at once"
        assert server.stored == {}
    finally:
        world.close()


def contend(process: Process, server: LeaseServer, claims: Claims, seconds: int) -> None:
    """Take the lease again and again, and work under it."""
    random = process.world.random
    while True:
        try:
            lease, run = acquire(process, server, claims, seconds)
            with lease:
                for _ in range(random.randrange(1, 10)):
                    if random.random() < 0.2:
                        lease.engine_started(random.randrange(2**16))
                    elif random.random() < 0.2:
                        lease.engines_ended()
                    process.wait(NEVER, random.uniform(0, seconds / 5))
                    lease.check()
                    assert claims.until[process] > process.world.time
                claims.end(process, run)
        except (BusyError, UnreachableError):
            process.wait(NEVER, random.uniform(0, 5))


def take_once(process: Process, server: LeaseServer, claims: Claims, seconds: int) -> float:
    """Take the lease, work for a second, and give it back; when it was got."""
    lease, run = acquire(process, server, claims, seconds)
    with lease:
        got = process.world.time
        process.wait(NEVER, 1)
        claims.end(process, run)
    return got


def acquire(process: Process, server: LeaseServer, claims: Claims, seconds: int) -> tuple[Lease, Run]:
    """Take the lease for a run of its own, and note until when it is held."""
    claims.begun += 1
    run = Run(UUID(int=claims.begun).hex, Action.DEPLOY, None, "host", "machine", process.number)
    lease = leases(server, process, seconds).acquire(
        IDENTITY, run, patience=math.inf, give_up=lambda: None, waiting=lambda _: None
    )
    lease.on_renewed(lambda deadline: claims.extend(process, run, deadline))
    return lease, run
