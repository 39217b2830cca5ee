"""Simulated time, and processes in it: every thread of theirs really runs, but one at a time, and nobody really waits.

A thread gives up its turn wherever it waits for something (`Process.pause`). Then the world lets the one go on whose
turn comes next and sets the time to that moment. So a run is decided by its seed alone.
"""

import heapq
import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random


class CrashedError(BaseException):
    """Ends each thread of a process that was killed: nothing of the code under test may catch it."""


@dataclass(eq=False)
class _Thread:
    process: "Process"
    turn: threading.Lock
    wakes: float
    event: threading.Event | None = None
    done: bool = False


@dataclass
class World:
    """Time, in seconds, and everything that happens in it."""

    seed: int = 0
    time: float = 0.0
    processes: list["Process"] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = Random(self.seed)
        self._threads: list[_Thread] = []
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._back = threading.Lock()
        self._back.acquire()
        self._running: _Thread | None = None
        self._failure: BaseException | None = None

    def at(self, time: float, happens: Callable[[], None]) -> None:
        """Let something happen that no process does."""
        heapq.heappush(self._events, (max(time, self.time), next(self._numbers), happens))

    def process(self, main: Callable[["Process"], None], *, start: float = 0.0, pace: float = 1.0) -> "Process":
        """A new process; `pace` is how fast its clock goes."""
        process = Process(self, len(self.processes), pace, self.random.uniform(0, 1e6))
        self.processes.append(process)
        self.at(start, lambda: process.spawn(lambda: main(process)))
        return process

    def run(self, until: float = 1e9) -> None:
        """Let time pass, until then or until nothing is left to happen; raise what a process failed with."""
        while self._failure is None and (upcoming := self._next(until)) is not None:
            upcoming()
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """Kill every process."""
        for process in self.processes:
            process.kill()
        while upcoming := self._next(1e12):
            upcoming()

    def spawn(self, process: "Process", work: Callable[[], None]) -> None:
        """Start a thread of a process."""
        thread = _Thread(process, threading.Lock(), self.time)
        thread.turn.acquire()
        self._threads.append(thread)

        def body() -> None:
            thread.turn.acquire()
            try:
                if not process.killed:
                    work()
            except CrashedError:
                pass
            except BaseException as error:  # the test's to judge, in the test's own thread
                self._failure = error
            finally:
                thread.done = True
                self._threads.remove(thread)
                self._back.release()

        threading.Thread(target=body, daemon=True).start()

    def pause(self, until: float, event: threading.Event | None = None) -> None:
        """Give up the running thread's turn until then, or until the event is set."""
        thread = self._running
        assert thread is not None
        if thread.process.killed:
            raise CrashedError
        thread.wakes, thread.event = max(until, self.time), event
        self._back.release()
        thread.turn.acquire()
        if thread.process.killed:
            raise CrashedError

    def _next(self, until: float) -> Callable[[], None] | None:
        best: tuple[float, float] | None = (self._events[0][0], -1.0) if self._events else None
        chosen: _Thread | None = None
        for thread in self._threads:
            rank = (self._goes_on(thread), self.random.random())
            if best is None or rank < best:
                best, chosen = rank, thread
        if best is None or best[0] > until:
            self.time = max(self.time, min(until, 1e9)) if best else self.time
            return None
        self.time = max(self.time, best[0])
        if chosen is None:
            return heapq.heappop(self._events)[2]
        return lambda: self._resume(chosen)

    def _goes_on(self, thread: _Thread) -> float:
        if thread.process.killed:
            return self.time
        wakes = self.time if thread.event and thread.event.is_set() else thread.wakes
        return max(wakes, thread.process.stopped_until)

    def _resume(self, thread: _Thread) -> None:
        self._running = thread
        thread.turn.release()
        self._back.acquire()
        self._running = None


@dataclass(eq=False)
class Process:
    """A process and its clock, which is that of no other; implements `deploytag.delivery.lease.clock.Clock`."""

    world: World
    number: int
    pace: float
    offset: float
    killed: bool = False
    stopped_until: float = 0.0
    """As by SIGSTOP: no thread of it goes on before."""
    cut_off_until: float = 0.0
    """Nothing that it sends arrives before, and nothing that is sent to it."""
    deafened_until: float = 0.0
    """What it sends arrives, but it gets no answer before."""

    def kill(self) -> None:
        """End it at once, as by SIGKILL."""
        self.killed = True

    def spawn(self, work: Callable[[], None]) -> None:
        """Start a thread."""
        self.world.spawn(self, work)

    def now(self) -> float:
        """See `Clock`."""
        return self.offset + self.world.time * self.pace

    def when(self, reading: float) -> float:
        """The world's time when this process's clock shows `reading`."""
        return (reading - self.offset) / self.pace

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """See `Clock`."""
        self.world.pause(self.world.time + max(0.0, seconds) / self.pace, event)
        return event.is_set()

    def start(self, work: Callable[[], None], name: str) -> None:
        """See `Clock`."""
        self.spawn(work)

    def sleep(self, seconds: float) -> None:
        """Wait."""
        self.world.pause(self.world.time + seconds / self.pace)
