"""Whether a deployment goes ahead. Pure: facts in, a plan out; `tests/unit/test_decision.py` is the table."""

from dataclasses import dataclass
from datetime import datetime

from deploytag.delivery.lifetime import outlived
from deploytag.delivery.record import Record, Tombstone


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known before anything is touched, and asked again when the lease is held."""

    ref: str
    wanted: str
    """The commit this run is to deploy."""
    tip: str | None
    """The remote's; None: it has no such ref."""
    now: datetime
    pinned: bool = False
    """Whether a person named the commit, to run an older one again."""
    tombstone: Tombstone | None = None
    recreate: bool = False
    """Whether a person asked to bring back what was destroyed."""
    record: Record | None = None
    fingerprint: str | None = None
    """Of the checkout's content; None: it cannot be told beforehand."""
    healthy: bool = False
    """Whether what was deployed last answers at its URL, all of it."""
    busy: bool = False
    """Whether another run holds the environment now: it may be one that destroys it."""


@dataclass(frozen=True, slots=True)
class Skip:
    """Nothing is done, and that is right."""

    why: str


@dataclass(frozen=True, slots=True)
class AlreadyServed:
    """Nothing is done, because a commit of the same content answers at the URL."""

    serving: str
    url: str


@dataclass(frozen=True, slots=True)
class Go:
    """The environment is made or updated."""

    why: str


Plan = Skip | AlreadyServed | Go


def decide(facts: Facts) -> Plan:
    """What a deployment does."""
    return outdated(facts) or _served(facts) or Go(_reason(facts))


def outdated(facts: Facts) -> Skip | None:
    """Why this run is not to touch anything, or not any longer; None when it may."""
    if facts.tip is None:
        return Skip(f"{facts.ref} is gone from the remote, so it gets no environment")
    if facts.tip != facts.wanted and not facts.pinned:
        return Skip(f"{facts.wanted[:12]} was superseded by {facts.tip[:12]}, which {facts.ref} is at now")
    stone = facts.tombstone
    if stone is not None and outlived(stone, facts.now):
        return None
    # A ref that was gone when it was buried and is there now was made again.
    if stone is not None and stone.tip is not None and stone.tip == facts.tip and not facts.recreate:
        return Skip(
            f"{facts.ref} was destroyed at {facts.tip[:12]} and has not moved since: push to it, or bring it back with "
            "`deploytag deploy --recreate`"
        )
    return None


def _served(facts: Facts) -> AlreadyServed | None:
    record = facts.record
    if (
        record is None
        or record.deployed is None
        or record.asleep
        # It may have changed anything before it ended, also what still answers.
        or record.unsuccessful
        or facts.fingerprint is None
        or record.deployed.fingerprint != facts.fingerprint
        or not facts.healthy
        or facts.busy
        # What is being destroyed answers for a while, and what was destroyed is not there any more.
        or facts.tombstone is not None
    ):
        return None
    return AlreadyServed(record.deployed.revision, record.deployed.url)


def _reason(facts: Facts) -> str:
    record = facts.record
    if record is None or record.deployed is None or facts.tombstone is not None:
        return "it has no environment yet" if facts.tombstone is None else "it is made again"
    if record.asleep:
        return "it sleeps"
    if facts.fingerprint != record.deployed.fingerprint:
        return f"its content is not that of {record.deployed.revision[:12]}, which is deployed"
    if record.unsuccessful:
        return "its last run did not end well, and may have left anything"
    if facts.healthy:
        return "a run works on it, and what that leaves is to be looked at"
    return "what is deployed does not answer as it should"
