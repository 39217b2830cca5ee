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
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from deploytag import ownership
from deploytag.api import Object
from deploytag.delivery.moment import Moment, plausible
from deploytag.delivery.run import LARGEST_PID, Action, Run
from deploytag.documents import DocumentError
from deploytag.identity import Identity

RUN = "deploytag.dev/run"
ACTION = "deploytag.dev/action"
COMMIT = "deploytag.dev/commit"
HOST = "deploytag.dev/host"
MACHINE = "deploytag.dev/machine"
PID = "deploytag.dev/pid"
ENGINES = "deploytag.dev/engines"

LONGEST = 600
"""Seconds that a lease without a duration is taken to last: the most that the policy allows."""

SKEW = timedelta(minutes=5)
"""How far the clocks of one cluster's API servers may be apart."""


@dataclass(frozen=True, slots=True)
class EngineProcess:
    """A Pulumi engine that was started under the lease, and whose end nobody has confirmed."""

    host: str
    pid: int
    started: Moment
    """By the clock of its host, as Pulumi's lock has it."""


_ENGINES = TypeAdapter(tuple[EngineProcess, ...])


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


_Count = Annotated[int, Field(ge=0, lt=1 << 31)]
"""As the API server has numbers: a greater one could not be reckoned with."""


class _Part(BaseModel):
    # None also where there is a null: Go writes some.
    model_config = ConfigDict(alias_generator=to_camel)


class _Metadata(_Part):
    name: str | None = None
    annotations: dict[str, str] | None = None
    uid: str | None = None
    resource_version: str | None = None


class _Spec(_Part):
    holder_identity: str | None = None
    lease_duration_seconds: _Count | None = None
    acquire_time: datetime | None = None
    renew_time: datetime | None = None
    lease_transitions: _Count | None = None


class _Object(_Part):
    metadata: _Metadata | None = None
    spec: _Spec | None = None


def state_of(lease: Object, seen: datetime | None) -> LeaseState:
    """What the object says. What somebody else may have written is read with leniency.

    Raises:
        DocumentError: it is nothing that an API server takes for a Lease.
    """
    try:
        read = _Object.model_validate(lease)
    except ValidationError as error:
        odd = ", ".join(".".join(map(str, one["loc"])) for one in error.errors())
        raise DocumentError(f"the answer is no Lease: {odd or 'no object'}") from None
    metadata, spec = read.metadata or _Metadata(), read.spec or _Spec()
    notes = metadata.annotations or {}
    return LeaseState(
        name=metadata.name or "",
        project=notes.get(ownership.PROJECT),
        ref=notes.get(ownership.REF),
        holder=spec.holder_identity or None,
        run=_run_of(notes),
        engines=_engines_of(notes),
        duration=spec.lease_duration_seconds or LONGEST,
        acquired=_moment(spec.acquire_time),
        renewed=_moment(spec.renew_time),
        transitions=spec.lease_transitions or 0,
        uid=metadata.uid,
        version=metadata.resource_version,
        seen=seen,
    )


def object_of(identity: Identity, state: LeaseState) -> Object:
    """The object that says this.

    Its uid is always sent along: a PUT to a Lease that is gone would otherwise make a new one, whatever its version.
    """
    notes = ownership.annotations(identity)
    if state.run:
        notes |= {RUN: state.run.id, ACTION: state.run.action, HOST: state.run.host}
        notes |= {MACHINE: state.run.machine, PID: str(state.run.pid)}
        notes |= {COMMIT: state.run.commit} if state.run.commit else {}
    if state.engines:
        notes[ENGINES] = _ENGINES.dump_json(state.engines).decode()
    return {
        "metadata": {
            "name": identity.namespace,
            "namespace": ownership.SYSTEM_NAMESPACE,
            "labels": ownership.labels(identity),
            "annotations": notes,
            "uid": state.uid,
            "resourceVersion": state.version,
        },
        "spec": {
            "holderIdentity": state.holder or "",
            "leaseDurationSeconds": state.duration,
            "acquireTime": _microtime(state.acquired),
            "renewTime": _microtime(state.renewed),
            "leaseTransitions": state.transitions,
        },
    }


def _microtime(when: datetime | None) -> str | None:
    """As the API server takes it: always with all six digits, also when they are zero."""
    return f"{when.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}" if when else None


def _moment(said: datetime | None) -> datetime | None:
    return said if said and plausible(said) else None


def _run_of(notes: dict[str, str]) -> Run | None:
    try:
        pid = int(notes[PID])
        if not 0 < pid <= LARGEST_PID:
            return None
        return Run(notes[RUN], Action(notes[ACTION]), notes.get(COMMIT), notes[HOST], notes[MACHINE], pid)
    except (KeyError, ValueError):
        return None


def _engines_of(notes: dict[str, str]) -> tuple[EngineProcess, ...]:
    try:
        return _ENGINES.validate_json(notes.get(ENGINES, "[]"))
    except ValidationError:
        return ()
