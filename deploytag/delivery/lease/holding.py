"""A lease that is held: renewed while its holder works, provable at every moment, and given back."""

import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from threading import Event, Lock
from types import TracebackType
from typing import Self

from deploytag.delivery.asking import ConflictError, NoAnswerError
from deploytag.delivery.lease.clock import Clock
from deploytag.delivery.lease.objects import LeaseObjects
from deploytag.delivery.lease.state import EngineProcess, LeaseState, Timing
from deploytag.delivery.run import Run
from deploytag.errors import BusyError, DeployTagError, UnreachableError
from deploytag.identity import Identity

GIVING_BACK = 3
"""How often it is tried to give a lease back before it is left to expire."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ServerTime:
    """The API server's clock, by what it said and what has passed since."""

    said: datetime | None
    """None: it never says any."""
    heard: float
    """When that was, by the clock of this machine."""

    def at(self, now: float) -> datetime:
        """Its time now; this host's own where it never says any."""
        return self.said + timedelta(seconds=now - self.heard) if self.said else datetime.now(UTC)

    def corrected(self, said: datetime | None, heard: float) -> Self:
        """This, or what was heard now if that is later: it is told without its fraction, so never too late.

        So this never goes back. Two renewals that told the same time would be one to whoever watches.
        """
        later = said is not None and (self.said is None or said > self.at(heard))
        return type(self)(said, heard) if later else self


@dataclass(frozen=True, slots=True)
class Contender:
    """Who wants to hold the lease of which environment, and by what means."""

    objects: LeaseObjects
    timing: Timing
    clock: Clock
    identity: Identity
    run: Run


class Lease:
    """The lease of one environment, held by one run.

    Entering it starts to renew it, leaving it gives it back. One thread does all writing, so that none depends on what
    another one wrote; a second one sees the deadline pass should the first one hang.
    """

    def __init__(self, contender: Contender, state: LeaseState, started: float, previous: LeaseState | None) -> None:
        self.lost = Event()
        """Set when it is no longer held. It is never held again."""
        self.previous = previous
        """The lease as an earlier run left it: one that died, or whose engines nobody saw end. None: there is none."""
        self._objects, self._timing, self._clock = contender.objects, contender.timing, contender.clock
        self._identity, self._run = contender.identity, contender.run
        self._state = state
        self._time = ServerTime(state.seen, self._clock.now())
        self._deadline = self._timing.deadline(started)
        self._renewed = started
        self._reason = ""
        """Why it was lost."""
        self._trouble = ""
        """Why the last renewal failed."""
        self._engines = state.engines
        self._survived: Run | None = None
        """A run of which processes are left that could not be ended."""
        self._lock = Lock()
        """Guards everything that changes. Nobody waits for anything while holding it."""
        self._told: list[Callable[[float], None]] = []
        self._telling = Lock()
        self._wanted: list[Event] = []
        """Set as soon as what was changed before is written."""
        self._wake = Event()
        self._leaving = Event()
        self._ended = Event()

    @property
    def deadline(self) -> float:
        """Until when it is held, in seconds of CLOCK_BOOTTIME: by then all children must be gone, unless renewed."""
        with self._lock:
            return self._deadline

    @property
    def engines(self) -> tuple[EngineProcess, ...]:
        """Engines started under this lease, by earlier runs and this one, whose end nobody has confirmed."""
        with self._lock:
            return self._engines

    def check(self) -> None:
        """Do nothing when the lease is provably held. To be called right before each write to the environment.

        Raises:
            BusyError: it is not.
        """
        if self._clock.now() >= self.deadline:
            self._lose(f"it could not be renewed in time{self._trouble}")
        if self.lost.is_set():
            raise BusyError(
                f"this run lost its lease of {self._identity.ref}: {self._reason}; its children were ended. "
                "Run it again."
            )

    def on_renewed(self, callback: Callable[[float], None]) -> None:
        """Tell `callback` the deadline, now and whenever it has moved; later calls never tell an earlier one."""
        with self._telling:
            self._told.append(callback)
            callback(self.deadline)

    def engine_started(self, pid: int) -> None:
        """Note an engine of this machine, and return when the cluster knows of it.

        Raises:
            BusyError: the lease was lost.
        """
        engine = EngineProcess(self._run.host, pid, datetime.now(UTC))
        with self._lock:
            self._engines = (*self._engines, engine)
        self._write()

    def engines_ended(self) -> None:
        """Forget all engines: each is known to have ended, and to have left no lock. Return when that is written.

        Raises:
            BusyError: the lease was lost.
        """
        with self._lock:
            if not self._engines:
                return
            self._engines = ()
        self._write()

    def leave_to_next(self, run: Run) -> None:
        """Give it back, when it is left, as one that `run` has held and died with: something of it is still there."""
        with self._lock:
            self._survived = run

    def __enter__(self) -> Self:
        self._clock.start(self._keep_renewing, f"lease of {self._identity.ref}")
        self._clock.start(self._watch_deadline, f"deadline of {self._identity.ref}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._leaving.set()
        self._wake.set()
        ended = self._clock.wait(self._ended, self._timing.request + 1)
        if self.lost.is_set():
            return
        try:
            if not ended:
                raise UnreachableError("its last renewal does not end")
            self._give_back()
        # Whatever the holder itself failed with matters more; and the lease expires by itself.
        except (ConflictError, DeployTagError) as failure:
            _LOG.warning(
                "The lease of %s was not given back, the next run waits %d s for it: %s",
                self._identity.ref,
                self._timing.duration,
                failure,
            )

    def _write(self) -> None:
        written = Event()
        with self._lock:
            self._wanted.append(written)
        self._wake.set()
        while not self._clock.wait(written, 0.5):
            self.check()

    def _keep_renewing(self) -> None:
        due = self._renewed + self._timing.renewal
        try:
            while not self.lost.is_set():
                self._clock.wait(self._wake, max(0.0, due - self._clock.now()))
                self._wake.clear()
                if self._leaving.is_set():
                    return
                renewed = self._renew()
                due = self._clock.now() + (self._timing.renewal if renewed else self._timing.retry)
        finally:
            if not self._leaving.is_set():
                self._lose("its renewal ended")  # unless it was lost before: a defect must not look like a lease
            self._ended.set()

    def _renew(self) -> bool:
        """Renew it once; False: not now."""
        started = self._clock.now()
        with self._lock:
            wanted = tuple(self._wanted)
            state = replace(self._state, engines=self._engines, renewed=self._time.at(started))
        if started >= self.deadline:
            self._lose(f"it could not be renewed in time{self._trouble}")
            return False
        try:
            written = self._objects.write(self._identity, state, self._timing.request)
        except ConflictError:
            return self._look_again()
        except DeployTagError as error:
            self._trouble = f" ({error})"
            return False
        self._state, self._trouble = written, ""
        if not self._extend(started, written.seen):
            return False
        with self._lock:
            self._wanted = [event for event in self._wanted if event not in wanted]
        for event in wanted:
            event.set()
        with self._telling:
            for callback in self._told:
                callback(self.deadline)
        return True

    def _extend(self, started: float, said: datetime | None) -> bool:
        """Move the deadline, unless it has passed: whoever enforces it has ended the children by now."""
        now = self._clock.now()
        with self._lock:
            if now < self._deadline and not self.lost.is_set():
                self._deadline, self._renewed = self._timing.deadline(started), started
                self._time = self._time.corrected(said, now)
                return True
        self._lose("it was renewed too late")
        return False

    def _look_again(self) -> bool:
        """After a write that met another version: it may be our own, of a request whose answer never came."""
        try:
            found = self._objects.look(self._identity, self._timing.request).state
        except DeployTagError as error:
            self._trouble = f" ({error})"
            return False
        if found is None or found.uid != self._state.uid:
            self._lose("somebody removed it")
        elif found.holder != self._run.id:
            self._lose(f"{found.said} holds it now" if found.holder else "somebody gave it back")
        else:
            self._state = found
            self._wake.set()  # once more, at once
        return False

    def _watch_deadline(self) -> None:
        # In small steps: while a machine is suspended its waits do not go on, but the deadline comes nearer.
        while not (self._leaving.is_set() or self.lost.is_set()):
            left = self.deadline - self._clock.now()
            if left <= 0:
                self._lose(f"it could not be renewed in time{self._trouble}")
            self._clock.wait(self._leaving, min(1.0, max(0.0, left)))

    def _lose(self, reason: str) -> None:
        with self._lock:
            if not self.lost.is_set():
                self._reason = reason
                self.lost.set()
        self._wake.set()

    def _give_back(self) -> None:
        """Remove it; or, while something of a run may still be there, leave it behind without a holder."""
        state = self._state
        for remaining in reversed(range(GIVING_BACK)):
            try:
                self._give_back_version(state)
            except (ConflictError, NoAnswerError):
                if not remaining:
                    raise
            else:
                return
            # A renewal or this may have been carried out, though its answer never came.
            with contextlib.suppress(NoAnswerError):
                found = self._objects.look(self._identity, self._timing.request).state
                if found is None or found.holder != self._run.id:
                    return
                state = found

    def _give_back_version(self, state: LeaseState) -> None:
        with self._lock:
            engines, run = self._engines, self._survived
        if engines or run:
            now = self._time.at(self._clock.now())
            left = replace(state, holder=None, run=run or state.run, engines=engines, renewed=now)
            self._objects.write(self._identity, left, self._timing.request)
        else:
            self._objects.delete(self._identity, state, self._timing.request)
