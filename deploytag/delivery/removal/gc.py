"""What should not exist any more: what there is, minus what git and the policy say there should be. Pure.

Nothing of a ref that exists and has not expired is ever in the plan, nor anything that cannot be proven to be ours.
When the remote's answer looks wrong, there is no plan at all: a branch that is collected a day late costs little.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from deploytag.delivery.inventory.things import Inventory, Item, Kind
from deploytag.delivery.lifetime import expiry, outlived
from deploytag.delivery.record import Record
from deploytag.errors import SettingsError
from deploytag.settings import EnvironmentClass, Policy

LEAST_WARNING = timedelta(hours=24)
"""An environment's end is announced at least so long before."""


class Deed(StrEnum):
    """What is done to one environment, in the order in which it is."""

    DESTROY = "destroy"
    SLEEP = "sleep"
    FREE_LEASE = "free the lease"
    FORGET_TOMBSTONE = "forget the tombstone"


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that the decision hangs on."""

    refs: Mapping[str, str] | None
    """The remote's refs and their commits; None: it did not answer."""
    branches: int
    """How many of them are branches: tags stay where branches are lost, and say nothing of an answer."""
    remote_error: str
    """Why it did not."""
    branches_before: int | None
    """How many branches it had at the last collection; None: nobody counted them."""
    inventory: Inventory
    live: frozenset[str]
    """Refs whose lease is held by a run that seems to live."""
    policy: Policy
    now: datetime
    allow_shrink: bool = False
    remote: str | None = None
    """Which repository the refs are of, as `Remote.place` has it; None: one of this machine."""
    remotes_before: frozenset[str] = frozenset()
    """Which ones it was at earlier collections; none: nobody wrote it down."""
    allow_remote: bool = False
    refs_before: int | None = None
    """How many branches and tags there were, where the last collection was of a version that counted only these."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing to do."""

    deed: Deed
    ref: str
    reason: str
    items: tuple[Item, ...]
    tip: str | None
    """What the remote said of the ref. It must say the same again right before anything is done."""
    record: Record | None = None
    """What was remembered of it. A push or a `keep` since then changes that."""


@dataclass(frozen=True, slots=True)
class Note:
    """Something that a person should know, and nothing is done about."""

    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class GcPlan:
    """What a collection does, in order."""

    refused: str | None = None
    """Why nothing is done at all."""
    entries: tuple[Entry, ...] = ()
    warnings: tuple[Note, ...] = ()
    """Environments that will be collected soon."""
    left_alone: tuple[Note, ...] = ()
    """What is protected, and what cannot be proven to be ours."""
    refs: int | None = None
    """How many refs the remote has; None: it did not answer."""
    branches: int = 0
    """How many of them are branches."""


def decide(facts: Facts) -> GcPlan:
    """The plan."""
    if facts.refs is None:
        return GcPlan(refused=facts.remote_error)
    if refusal := _implausible(facts.refs, facts):
        return GcPlan(refused=refusal, refs=len(facts.refs), branches=facts.branches)
    entries: list[Entry] = []
    warnings: list[Note] = []
    left_alone = [Note(f"{item.kind} {item.name}", item.detail) for item in facts.inventory.unproven]
    for ref, items in facts.inventory.environments.items():
        match _verdict(ref, items, facts.refs, facts):
            case Entry() as entry:
                entries.append(entry)
            case _Soon(text):
                warnings.append(Note(ref, text))
            case _Protected(text):
                left_alone.append(Note(ref, text))
    entries.sort(key=lambda entry: (list(Deed).index(entry.deed), entry.ref))
    entries += _without_environment(facts.refs, facts)
    return GcPlan(None, tuple(entries), tuple(warnings), tuple(left_alone), len(facts.refs), facts.branches)


def _implausible(refs: Mapping[str, str], facts: Facts) -> str | None:
    if facts.branches == 0:
        return (
            "the remote says that it has no branch at all, which would mean that every environment goes. Nothing was "
            "touched. Check which remote it is: DEPLOYTAG_REMOTE, `git config deploytag.remote`, or origin."
        )
    if facts.remote and facts.remotes_before and facts.remote not in facts.remotes_before and not facts.allow_remote:
        return (
            f"the branches of {facts.remote} would decide what goes, and until now those of "
            f"{', '.join(sorted(facts.remotes_before))} did: a fork, or another project of this name, says nothing of "
            "these environments. Nothing was touched. If it is the same repository, or has moved, say so once: "
            "`deploytag gc --yes --allow-remote`."
        )
    if facts.branches_before is not None:
        now, before, what = facts.branches, facts.branches_before, "branches"
    else:
        now, before, what = len(refs), facts.refs_before or 0, "branches and tags"
    if 2 * now < before and not facts.allow_shrink:
        return (
            f"the remote has {now} {what}, and had {before} at the last collection: more than half of them gone is "
            "more likely a mistake. Nothing was touched. If it is true: --allow-shrink."
        )
    return None


# --- one environment --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Soon:
    text: str


@dataclass(frozen=True, slots=True)
class _Protected:
    text: str


def _verdict(
    ref: str, items: tuple[Item, ...], refs: Mapping[str, str], facts: Facts
) -> Entry | _Soon | _Protected | None:
    record = facts.inventory.records.get(ref)
    cls = _class_of(ref, record, facts.policy)
    tip = refs.get(ref)
    if tip is None:
        if cls is not None and cls.protected:
            return _Protected("the branch is gone, but its class is protected: `deploytag destroy --force` removes it")
        return Entry(Deed.DESTROY, ref, "the remote has no such branch", items, tip, record)
    # Without a record nobody knows when it was last pushed.
    if cls is None or cls.protected or record is None:
        return None
    # To sleep it would be declared again, which is refused to what no pattern takes.
    sleeps = facts.policy.refusal(ref) is None
    return _of_age(cls, Entry(Deed.DESTROY, ref, "", items, tip, record), record, facts.now, sleeps=sleeps)


def _of_age(
    cls: EnvironmentClass, entry: Entry, record: Record, now: datetime, *, sleeps: bool
) -> Entry | _Soon | None:
    """What the time without a push means for an environment whose branch exists."""
    end, pushed = expiry(record, cls), f"no push since {_day(record.pushed)}"
    if end is not None and end <= now:
        return replace(entry, reason=f"{pushed}, and its class keeps it for {_said(cls.ttl)}")
    if sleeps and _idle(cls, record, now):
        reason = f"{pushed}, and its class lets it sleep after {_said(cls.sleep_after)}"
        return replace(entry, deed=Deed.SLEEP, reason=reason)
    if end is not None and cls.ttl is not None and end - now <= max(cls.ttl / 7, LEAST_WARNING):
        return _Soon(f"is collected after {_day(end)}, unless somebody pushes or keeps it")
    return None


def _class_of(ref: str, record: Record | None, policy: Policy) -> EnvironmentClass | None:
    """By the branch's name; where no pattern takes that any more, the one it was made with."""
    try:
        return policy.class_of(ref)
    except SettingsError:
        name = record.environment_class if record else None
        return policy.classes.get(name) if name else None


def _idle(cls: EnvironmentClass, record: Record, now: datetime) -> bool:
    if cls.sleep_after is None or record.asleep or (record.keep_until is not None and record.keep_until > now):
        return False
    return record.pushed + cls.sleep_after <= now


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _said(duration: timedelta | None) -> str:
    hours = int(duration.total_seconds() // 3600) if duration else 0
    return f"{hours // 24} days" if hours % 24 == 0 and hours > 24 else f"{hours} hours"


# --- what outlives environments ---------------------------------------------------------------------------------------


def _without_environment(refs: Mapping[str, str], facts: Facts) -> Iterator[Entry]:
    environments, tombstones = facts.inventory.environments, facts.inventory.tombstones
    for item in facts.inventory.of_kind(Kind.LEASE):
        ref = item.owner.ref if item.owner else None
        if ref is not None and ref not in refs and ref not in environments and ref not in facts.live:
            yield Entry(Deed.FREE_LEASE, ref, "its run is dead, and there is no environment any more", (item,), None)
    for item in facts.inventory.of_kind(Kind.TOMBSTONE):
        ref = item.owner.ref if item.owner else None
        if ref is not None and outlived(tombstones[ref], facts.now):
            reason = f"it was destroyed on {_day(tombstones[ref].destroyed)}: no deployment of it comes any more"
            yield Entry(Deed.FORGET_TOMBSTONE, ref, reason, (item,), refs.get(ref))


def changed(entry: Entry, tip: str | None, record: Record | None) -> str | None:
    """Why the entry is no longer true, by what the remote and the record say now; None when it is."""
    if tip != entry.tip:
        return "the branch is back on the remote" if entry.tip is None else "the branch was pushed or deleted meanwhile"
    before = entry.record
    if entry.tip is None or before is None:
        return None
    if record is None or (record.pushed, record.keep_until) != (before.pushed, before.keep_until):
        return "it was deployed or kept meanwhile"
    return None
