"""A lease as an object of the Kubernetes API, and what such an object says. Pure."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from deploytag import ownership
from deploytag.api import Object
from deploytag.delivery.lease.state import EngineProcess, LeaseState
from deploytag.delivery.moment import plausible
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

_ENGINES = TypeAdapter(tuple[EngineProcess, ...])

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
