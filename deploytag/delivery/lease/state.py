"""What an environment's lease says, when it has expired, and how long its holder may act on it. Pure.

Two runs never hold the same lease at the same time. Why that is so, whatever their hosts' clocks say:

- A holder's `deadline` counts from before it sent its last renewal. Whoever would take the lease over counts the whole
  duration from after it saw that renewal, on a clock of its own. The deadline is earlier, by a margin that is larger
  than any difference in the two clocks' pace.
- It takes over by a write that succeeds only if nobody has written since what it saw.
- A lease that was already old when it was first seen need not be watched: its `renewTime` is told in the API server's
  time, by holders too (from the `Date` of its answers), so both sides compare one clock with itself. It must lie
  `SKEW` further back than the duration, because a cluster may have several API servers.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Self

from deploytag.delivery.moment import Moment
from deploytag.delivery.run import Run
from deploytag.identity import Identity

SKEW = timedelta(minutes=5)
"""How far the clocks of one cluster's API servers may be apart."""


@dataclass(frozen=True, slots=True)
class EngineProcess:
    """A Pulumi engine that was started under the lease, and whose end nobody has confirmed."""

    host: str
    pid: int
    started: Moment
    """By the clock of its host, as Pulumi's lock has it."""


@dataclass(frozen=True, slots=True)
class LeaseState:
    """A lease as the cluster has it."""

    name: str
    """The environment's namespace."""
    project: str | None
    ref: str | None
    holder: str | None
    """Id of the run that holds it; None: it was given back, and is kept only for its `engines`."""
    run: Run | None
    """The run that holds it, or held it last; None: it cannot be read."""
    engines: tuple[EngineProcess, ...]
    duration: int
    """Seconds after which it may be taken over, when it is not renewed."""
    acquired: datetime | None
    renewed: datetime | None
    """In the API server's time."""
    transitions: int
    """How often it went from one holder to the next."""
    uid: str | None = None
    """None: this is to become an object."""
    version: str | None = None
    seen: datetime | None = None
    """The API server's time when it said this; None: it did not say."""

    @property
    def live(self) -> bool:
        """Whether its holder seems to live, for people and for plans; nobody may be taken over because of it."""
        if self.holder is None:
            return False
        return self.renewed is None or self.seen is None or self.seen - self.renewed <= timedelta(seconds=self.duration)

    @property
    def said(self) -> str:
        """How a person is told who holds it."""
        who = self.run.said if self.run and self.run.id == self.holder else f"run {(self.holder or 'none')[:8]}"
        return f"{who} since {self.acquired.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if self.acquired else who

    def owned_by(self, identity: Identity) -> bool:
        """Whether it is provably this environment's."""
        return (self.project, self.ref) == (identity.project, identity.ref)


@dataclass(frozen=True, slots=True)
class Observation:
    """Since when an unchanged lease is seen, in seconds of the observer's own clock."""

    version: str | None
    since: float

    @classmethod
    def of(cls, earlier: Self | None, state: LeaseState, now: float) -> Self:
        """What is known after `state` was received, `now` being after it."""
        return earlier if earlier and earlier.version == state.version else cls(state.version, now)

    def expires(self, state: LeaseState) -> float:
        """When the lease may be taken over, should it stay unchanged."""
        return self.since if long_expired(state) else self.since + state.duration


def long_expired(state: LeaseState) -> bool:
    """Whether it had expired before anybody looked: see this module's text."""
    if state.renewed is None or state.seen is None:
        return False
    return state.seen - state.renewed > timedelta(seconds=state.duration) + SKEW


def expired(state: LeaseState, observed: Observation, now: float) -> bool:
    """Whether the holder, if there is one, can no longer act."""
    return state.holder is None or now >= observed.expires(state)


@dataclass(frozen=True, slots=True)
class Timing:
    """What follows from a lease's duration, all in seconds."""

    duration: int

    @property
    def margin(self) -> float:
        """How long before others may take over the holder's children have to be gone."""
        return max(2.0, self.duration / 5)

    @property
    def renewal(self) -> float:
        """From one renewal to the next."""
        return self.duration / 5

    @property
    def retry(self) -> float:
        """From a renewal that failed to the next."""
        return self.duration / 20

    @property
    def request(self) -> float:
        """The longest that one write may take."""
        return min(10.0, self.duration / 5)

    def deadline(self, started: float) -> float:
        """How long one may act on a renewal that succeeded, and whose request began at `started`."""
        return started + self.duration - self.margin


def claimed(identity: Identity, run: Run, duration: int, found: LeaseState | None, now: datetime) -> LeaseState:
    """The lease as `run` will hold it: a new one, or what was found."""
    claim = LeaseState(
        name=identity.namespace,
        project=identity.project,
        ref=identity.ref,
        holder=run.id,
        run=run,
        engines=(),
        duration=duration,
        acquired=now,
        renewed=now,
        transitions=0,
    )
    if found is None:
        return claim
    # The same holder: its earlier write was carried out after all.
    transitions = found.transitions + (found.holder != run.id)
    return replace(claim, engines=found.engines, transitions=transitions, uid=found.uid, version=found.version)
