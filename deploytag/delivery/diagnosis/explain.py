"""Why an environment is as it is, in a sentence with evidence. Pure; `gather.py` finds the facts."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Protocol

from deploytag.delivery.diagnosis import causes
from deploytag.delivery.diagnosis.cause import Cause
from deploytag.delivery.diagnosis.generations import Snapshot
from deploytag.delivery.diagnosis.objects import Release, small_number
from deploytag.delivery.diagnosis.workloads import complaints
from deploytag.delivery.record import Outcome, Record, Tombstone
from deploytag.identity import Identity


class State(StrEnum):
    """The stable name of what an environment is, for scripts."""

    BUSY = "busy"
    TERMINATING = "terminating"
    DIED = "run-died"
    PENDING = "release-pending"
    LOCKED = "locked"
    BROKEN = "broken"
    FAILED = "failed"
    UNHEALTHY = "unhealthy"
    ASLEEP = "asleep"
    GONE = "gone"
    NEVER = "never-deployed"
    HEALTHY = "healthy"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Explanation:
    """What an environment is, why, and what shows it."""

    state: State
    sentence: str
    evidence: tuple[str, ...] = ()
    what_now: str | None = None
    cause: Cause | None = None
    """What is broken now; it has evidence of its own."""


class LeaseLook(Protocol):
    """What is asked of a lease."""

    @property
    def holder(self) -> str | None:
        """The run that holds it; None: nobody does."""

    @property
    def live(self) -> bool:
        """Whether its holder seems to live."""

    @property
    def said(self) -> str:
        """Who holds it since when, for a person."""


@dataclass(frozen=True, slots=True)
class NamespaceLook:
    """A namespace, and what holds it when it is being deleted."""

    terminating_since: datetime | None = None
    blockers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that was found out about one environment. What nobody could say is in `unknown`, with the reason."""

    identity: Identity
    now: datetime
    snapshot: Snapshot = field(default_factory=Snapshot)
    namespace: NamespaceLook | None = None
    """None: there is none."""
    lease: LeaseLook | None = None
    locks: tuple[str, ...] = ()
    """Who holds a lock of the stack, and since when."""
    record: Record | None = None
    tombstone: Tombstone | None = None
    no_class: str | None = None
    """Why the policy gives it no environment; None: it gives one."""
    unknown: dict[str, str] = field(default_factory=dict)


def why(facts: Facts) -> Explanation:
    """The first that explains the rest: what acts now, what is stuck, what is broken, else how it is."""
    for look_for in (_acting, _stuck, _broken, _resting):
        if explanation := look_for(facts):
            return explanation
    ref = facts.identity.ref
    not_said = tuple(f"{what}: {reason}" for what, reason in facts.unknown.items())
    if not_said:
        return Explanation(
            State.UNKNOWN,
            f"Nothing is known to be wrong with {ref}, but not everything could be asked.",
            not_said,
            "Make what is named answer, and ask again.",
        )
    deployed = facts.record.deployed if facts.record else None
    served = f": {deployed.revision[:12]} was seen at {deployed.url}, {_at(deployed.verified)}" if deployed else ""
    return Explanation(State.HEALTHY, f"{ref} is healthy{served}.", _undeployed(facts))


def _acting(facts: Facts) -> Explanation | None:
    ref = facts.identity.ref
    if facts.lease and facts.lease.holder and facts.lease.live:
        return Explanation(
            State.BUSY,
            f"A run is working on {ref}: {facts.lease.said}.",
            what_now="Wait for it: the next run takes its turn.",
        )
    space = facts.namespace
    if space and space.terminating_since:
        return Explanation(
            State.TERMINATING,
            f"The namespace {facts.identity.namespace} is being deleted since {_at(space.terminating_since)}, "
            + ("and is held." if space.blockers else "which is not done yet."),
            space.blockers,
            "Mend or remove what is named; then it ends by itself." if space.blockers else None,
        )
    return None


def _stuck(facts: Facts) -> Explanation | None:
    ref, again = facts.identity.ref, "Run `deploytag deploy` again, or push: it repairs this first."
    attempt = facts.record.attempt if facts.record else None
    if facts.lease and facts.lease.holder:
        died = f"The last run on {ref} died: {facts.lease.said}; its lease has expired."
    elif attempt and attempt.outcome is Outcome.RUNNING and not facts.unknown.get("lease"):
        died = f"The last run on {ref} died: {attempt.action} begun {_at(attempt.started)}, run {attempt.run[:8]}."
    else:
        died = None
    pending = pending_release(facts.snapshot.releases, facts.identity.release)
    evidence = tuple(
        [f"Pulumi's lock: {lock}" for lock in facts.locks] + ([f"Helm's release: {pending}"] if pending else [])
    )
    if died:
        return Explanation(State.DIED, died, evidence, again)
    if pending:
        return Explanation(State.PENDING, f"Helm's release of {ref} was interrupted: {pending}.", evidence[:-1], again)
    if facts.locks:
        return Explanation(
            State.LOCKED,
            f"Pulumi's state of {ref} is locked: {facts.locks[0]}, and no run of DeployTag holds the lease.",
            evidence[1:],
            "Somebody may be using `pulumi` by hand. The lock of a run that died is removed by the next run.",
        )
    return None


def _broken(facts: Facts) -> Explanation | None:
    ref = facts.identity.ref
    attempt = facts.record.attempt if facts.record else None
    failed = attempt is not None and attempt.outcome in {Outcome.FAILED, Outcome.INTERRUPTED}
    said = (attempt.cause or "it did not say why.").splitlines() if failed and attempt else []
    asleep = bool(facts.record and facts.record.asleep)
    if not asleep and (cause := causes.find(facts.snapshot, facts.now)):
        before = (f"The last run: {said[0]}", *said[1:]) if said else ()
        return Explanation(State.BROKEN, cause.what, before, cause.hint or None, cause)
    ailing = complaints(facts.snapshot.deployments, facts.snapshot.stateful_sets).get(facts.identity.namespace, ())
    # A run may fail before there is a namespace; one that was destroyed since is gone on purpose.
    if failed and attempt and (facts.namespace or not facts.tombstone):
        earlier = _deployed_before(facts)
        serves = (earlier,) if earlier and not ailing else ()
        of = f" of {attempt.revision[:12]}" if attempt.revision else ""
        return Explanation(
            State.FAILED,
            f"The last run on {ref} ({attempt.action}{of}, {_at(attempt.started)}) was {_ended(attempt.outcome)}: "
            + said[0],
            (*said[1:], *serves, *ailing, *_undeployed(facts)),
            "Correct what it names and push again.",
        )
    if ailing:
        return Explanation(
            State.UNHEALTHY, ailing[0], (*ailing[1:], *_undeployed(facts)), f"Look: deploytag logs {ref}"
        )
    return None


def _deployed_before(facts: Facts) -> str | None:
    """What became of what was deployed before the last run; None where there was nothing, or nobody knows."""
    record = facts.record
    if record is None or record.deployed is None or "namespace" in facts.unknown:
        return None
    if facts.namespace is None:
        return f"What was deployed before is gone with its namespace {facts.identity.namespace}."
    if record.asleep is not False:
        return None  # nothing ails what has no pods, either
    return f"What was deployed before still runs: {record.deployed.revision[:12]}."


def _resting(facts: Facts) -> Explanation | None:
    ref = facts.identity.ref
    if facts.namespace is None and "namespace" not in facts.unknown:
        if facts.tombstone:
            return Explanation(
                State.GONE,
                f"{ref} was destroyed on purpose, {_at(facts.tombstone.destroyed)}.",
                what_now="A new push to the branch brings it back.",
            )
        if facts.record and facts.record.deployed:
            return Explanation(
                State.UNHEALTHY,
                f"{ref} was deployed, but its namespace {facts.identity.namespace} is gone.",
                what_now="Run `deploytag deploy`: it is made again.",
            )
        if "record" not in facts.unknown:
            return Explanation(
                State.NEVER,
                f"{ref} was never deployed.",
                what_now=facts.no_class or "Push the branch, or run `deploytag deploy`.",
            )
    if facts.record and facts.record.asleep:
        what_now = f"Wake it: deploytag wake {ref}, or push."
        return Explanation(State.ASLEEP, f"{ref} is asleep.", _undeployed(facts), what_now)
    return None


def _undeployed(facts: Facts) -> tuple[str, ...]:
    said = facts.record.undeployed if facts.record else None
    return (said,) if said else ()


def _version(release: Release) -> int:
    """The revision; 0 for a Secret that only says it is Helm's."""
    return small_number(release.metadata.labels.get("version", ""))


def pending_release(releases: Sequence[Release], name: str) -> str | None:
    """What Helm was doing when it was interrupted; None: its newest revision is finished."""
    own = [release for release in releases if release.metadata.labels.get("name") == name]
    newest = max(own, key=_version, default=None)
    if newest is None or not newest.metadata.labels.get("status", "").startswith("pending-"):
        return None
    status, version = newest.metadata.labels["status"], newest.metadata.labels.get("version")
    return f"revision {version} is {status} since {_at(newest.metadata.creation_timestamp)}"


def _ended(outcome: Outcome) -> str:
    return "interrupted" if outcome is Outcome.INTERRUPTED else "unsuccessful"


def _at(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
