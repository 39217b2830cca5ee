"""All environments of a project at a glance. `rows` is pure."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from deploytag.delivery.diagnosis.health import complaints_everywhere
from deploytag.delivery.inventory import look as inventory
from deploytag.delivery.inventory.things import Inventory, Item, Kind
from deploytag.delivery.lease.state import LeaseState
from deploytag.delivery.lifetime import expiry
from deploytag.delivery.record import Attempt, Outcome, Record
from deploytag.delivery.world import World
from deploytag.settings import Policy


class State(StrEnum):
    """How an environment is. The words are part of `--json` and stay as they are."""

    WORKING = "working"
    """A run holds its lease."""
    SERVING = "serving"
    ASLEEP = "asleep"
    UNHEALTHY = "unhealthy"
    """Something is deployed and not all of it runs."""
    FAILED = "failed"
    """The last run failed; what was deployed before may still serve."""
    DIED = "died"
    """The last run ended without saying how."""
    LEFTOVER = "leftover"
    """Parts of an environment without its namespace, which no failed run explains."""
    UNMANAGED = "unmanaged"
    """There without a record: `pulumi up` by hand, or not deployed to the end yet."""


@dataclass(frozen=True, slots=True)
class Row:
    """One environment."""

    ref: str
    state: State
    environment_class: str | None
    revision: str | None
    """The commit that serves."""
    url: str | None
    access: str | None
    """How its class has it reached."""
    pushed: datetime | None
    expires: datetime | None
    """When it is collected unless somebody pushes; None: never, or nobody knows."""
    last: str | None
    """What the last run did, and how it ended: `deploy succeeded`."""
    last_at: datetime | None
    """When it ended; began, if it did not say how it ended."""
    note: str | None
    """The most useful thing to know: who works on it, why it failed, what ails."""
    items: tuple[Item, ...]

    @property
    def namespace(self) -> str | None:
        """The namespace it is in; None: there is none."""
        return next((item.name for item in self.items if item.kind is Kind.NAMESPACE), None)


def look(world: World) -> list[Row]:
    """Every environment of the project, by ref.

    A handful of requests, however many there are, where this user may see the whole cluster.

    Raises:
        UnreachableError: somebody who has to be asked does not answer.
    """
    with ThreadPoolExecutor(3) as threads:
        found = threads.submit(inventory.all, world.project, world.sources)
        leases = threads.submit(world.leases.all, world.project)

        def namespaces() -> list[str]:
            return [item.name for item in found.result().items if item.kind is Kind.NAMESPACE and item.owner]

        ailing = threads.submit(complaints_everywhere, world.cluster, namespaces)
        return rows(found.result(), leases.result().values(), ailing.result(), world.policy)


def rows(
    found: Inventory, leases: Iterable[LeaseState], ailing: Mapping[str, Sequence[str]], policy: Policy
) -> list[Row]:
    """The table. Pure.

    Args:
        ailing: complaints by namespace, for each in which something is deployed; empty ones: it is healthy.
    """
    working = {lease.ref: lease for lease in leases if lease.live and lease.ref is not None}
    return [
        _row(
            items,
            found.records.get(ref),
            working.get(ref),
            ref=ref,
            buried=ref in found.tombstones,
            ailing=ailing,
            policy=policy,
        )
        for ref, items in sorted(found.environments.items())
        if any(item.kind is not Kind.BACKUP for item in items)
    ]


def _row(
    items: tuple[Item, ...],
    record: Record | None,
    lease: LeaseState | None,
    *,
    ref: str,
    buried: bool,
    ailing: Mapping[str, Sequence[str]],
    policy: Policy,
) -> Row:
    namespace = next((item.name for item in items if item.kind is Kind.NAMESPACE), None)
    state, note = _state(namespace, record, lease, ailing, buried=buried)
    if record and namespace and (undeployed := record.undeployed):
        note = "; ".join(filter(None, (note, undeployed)))
    deployed, attempt = (record.deployed, record.attempt) if record else (None, None)
    name = record.environment_class if record else None
    cls = policy.classes.get(name) if name else None
    return Row(
        ref=ref,
        state=state,
        environment_class=name,
        revision=deployed.revision if deployed else None,
        url=deployed.url if deployed else None,
        access=cls.access.said if cls else None,
        pushed=record.pushed if record else None,
        expires=expiry(record, cls) if record and cls else None,
        last=f"{attempt.action} {attempt.outcome}" if attempt else None,
        last_at=(attempt.finished or attempt.started) if attempt else None,
        note=note,
        items=items,
    )


def _state(
    namespace: str | None,
    record: Record | None,
    lease: LeaseState | None,
    ailing: Mapping[str, Sequence[str]],
    *,
    buried: bool,
) -> tuple[State, str | None]:
    if lease is not None:
        return State.WORKING, lease.said
    # A run may fail before there is a namespace; what was destroyed since, and not to the end, is left over.
    if record is not None and record.unsuccessful is not None and (namespace or not buried):
        return _bad_end(record.unsuccessful)
    if namespace is None:
        return State.LEFTOVER, _LEFTOVER if buried or record is None else f"{_MADE_AGAIN}. {_LEFTOVER}"
    if record is None:
        return State.UNMANAGED, None
    if record.asleep:
        return State.ASLEEP, None
    complaints = ailing.get(namespace)
    return (State.UNHEALTHY, complaints[0]) if complaints else (State.SERVING, None)


_LEFTOVER = "`deploytag destroy` removes what is left, as `deploytag gc` does once the branch is gone"
_MADE_AGAIN = "its namespace is gone: `deploytag deploy` makes it again"


def _bad_end(attempt: Attempt) -> tuple[State, str | None]:
    if attempt.outcome is Outcome.RUNNING:
        return State.DIED, "the last run ended without a word: the next one repairs what it left"
    return State.FAILED, attempt.cause
