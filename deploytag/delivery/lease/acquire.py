"""How a run takes an environment's lease, and takes it over from a run that died.

It is a Lease of the cluster in `deploytag-system`. A run takes it, renews it while it works and gives it back; that of
a run that died is taken over when it has expired. `state.py` says why two runs never hold it at the same time.
"""

from collections.abc import Callable
from threading import Event

from deploytag.delivery.asking import ConflictError, NoAnswerError
from deploytag.delivery.cluster import Cluster
from deploytag.delivery.lease.clock import Clock, SystemClock
from deploytag.delivery.lease.holding import Contender, Lease, ServerTime
from deploytag.delivery.lease.objects import LeaseObjects, Look
from deploytag.delivery.lease.state import EngineProcess, LeaseState, Observation, Timing, claimed, expired
from deploytag.delivery.run import Run
from deploytag.errors import BusyError, OwnershipError
from deploytag.identity import Identity
from deploytag.ownership import SYSTEM_NAMESPACE

__all__ = ["EngineProcess", "GaveUpError", "Lease", "LeaseState", "Leases"]

ASKED_EVERY = 2.0
"""Seconds at most from one question whether to give up to the next."""

SILENCE = 15.0
"""Seconds that the API server may be silent while somebody waits for a lease."""

PAUSE = 0.5
"""Seconds from a request that failed to the next."""


class GaveUpError(Exception):
    """Waiting for the lease has become pointless, which is no failure."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        """The sentence that `give_up` said."""


class Leases:
    """The leases of all environments in one cluster.

    Args:
        cluster: the cluster of the policy.
        seconds: how long a lease that is not renewed lasts: the policy's `lease_seconds`.
        clock: this machine's, unless it is a test.
    """

    def __init__(self, cluster: Cluster, seconds: int, clock: Clock | None = None) -> None:
        self._objects = LeaseObjects(cluster)
        self._timing = Timing(seconds)
        self._clock = clock or SystemClock()

    def read(self, identity: Identity) -> LeaseState | None:
        """The environment's lease; None: nobody holds it, and nobody left anything.

        Raises:
            UnreachableError: the API server does not answer, or refuses.
            OwnershipError: it is another environment's.
        """
        return _own(identity, self._objects.look(identity).state)

    def all(self, project: str) -> dict[str, LeaseState]:
        """The lease of each environment of the project that has one, by namespace.

        Raises:
            UnreachableError: the API server does not answer, or refuses.
        """
        return {state.name: state for state in self._objects.all(project) if state.project == project}

    def acquire(
        self,
        identity: Identity,
        run: Run,
        *,
        patience: float,
        give_up: Callable[[], str | None],
        waiting: Callable[[LeaseState], None],
    ) -> Lease:
        """Take the environment's lease, as soon as it is given back or has expired.

        Args:
            identity: the environment.
            run: who takes it.
            patience: seconds to wait for whoever holds it.
            give_up: asked after each change that was waited for, and every two seconds; what it says ends the wait.
            waiting: told of each holder that is waited for, once.

        Returns:
            The lease, which is held already. Enter it at once: that renews it.

        Raises:
            GaveUpError: `give_up` said a sentence.
            BusyError: it is still held when `patience` is over.
            UnreachableError: the API server does not answer for some seconds, or refuses.
            OwnershipError: the lease is another environment's, or the cluster has no system namespace.
        """
        contender = Contender(self._objects, self._timing, self._clock, identity, run)
        return _Acquisition(contender).lease(patience, give_up, waiting)


class _Acquisition:
    """One wait for one lease."""

    def __init__(self, contender: Contender) -> None:
        self._contender = contender
        self._objects, self._timing, self._clock = contender.objects, contender.timing, contender.clock
        self._identity, self._run = contender.identity, contender.run
        self._observed: Observation | None = None
        self._previous: LeaseState | None = None
        self._unanswered = False
        """Whether a write of ours may have been carried out, though nobody said so."""

    def lease(self, patience: float, give_up: Callable[[], str | None], waiting: Callable[[LeaseState], None]) -> Lease:
        """See `Leases.acquire`."""
        until = self._clock.now() + patience
        answered = self._clock.now()
        told: str | None = None
        while True:
            try:
                look = self._objects.look(self._identity)
                answered = self._clock.now()
                held = self._held(look.state)
                if held is None:
                    return self._take(look)
                if self._clock.now() >= until:
                    raise self._busy(held, patience)
                if told != held.holder:
                    told = held.holder
                    waiting(held)
                self._wait(look.position, held, until)
            except ConflictError:
                continue  # somebody was faster; who, the next look shows
            except NoAnswerError:
                if self._clock.now() - answered > SILENCE:
                    raise
                self._clock.wait(Event(), PAUSE)
            if reason := give_up():
                raise GaveUpError(reason)

    def _held(self, state: LeaseState | None) -> LeaseState | None:
        """Who has to be waited for, by what was just seen; None: it may be taken."""
        if _own(self._identity, state) is None or state is None:
            return None
        if state.holder == self._run.id:
            if not self._unanswered:
                raise ValueError(f"the run {self._run.id} holds the lease of {self._identity.ref} already")
            return None
        now = self._clock.now()
        self._observed = Observation.of(self._observed, state, now)
        return None if expired(state, self._observed, now) else state

    def _take(self, look: Look) -> Lease:
        if look.state and look.state.holder != self._run.id:
            self._previous = look.state
        time = ServerTime(look.time, self._clock.now())
        claim = claimed(self._identity, self._run, self._timing.duration, look.state, time.at(self._clock.now()))
        started = self._clock.now()
        try:
            state = self._objects.write(self._identity, claim, self._timing.request)
        except NoAnswerError:
            self._unanswered = True
            raise
        return Lease(self._contender, state, started, self._previous)

    def _wait(self, position: str, held: LeaseState, until: float) -> None:
        now = self._clock.now()
        expires = self._observed.expires(held) if self._observed else until
        seconds = max(0.1, min(until, expires, now + ASKED_EVERY) - now)
        changed = self._objects.await_change(self._identity, position, seconds)
        left = now + seconds - self._clock.now()
        if not changed and left > 0:
            # A proxy ended the watch early, and might do so each time.
            self._clock.wait(Event(), left)

    def _busy(self, state: LeaseState, patience: float) -> BusyError:
        return BusyError(
            f"{self._identity.ref} is being worked on: {state.said} holds its lease, and did not end within "
            f"{patience:.0f} s; this run touched nothing. Run it again when that one has ended; should it have died, "
            f"it is taken over {state.duration} s after its last sign of life."
        )


def _own(identity: Identity, state: LeaseState | None) -> LeaseState | None:
    if state is None or state.owned_by(identity):
        return state
    whose = f"that of {state.ref} of the project {state.project}" if state.ref else "that of no branch"
    raise OwnershipError(
        f"the lease {state.name} in {SYSTEM_NAMESPACE} is not that of {identity.ref} but {whose}: it was left alone, "
        "nothing was touched. Rename the branch or remove the lease by hand."
    )
