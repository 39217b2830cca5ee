"""What there can be of an environment, and whose it is. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from itertools import groupby
from typing import NamedTuple

from deploytag.delivery.record import Record, Tombstone


class Kind(StrEnum):
    """The kinds of things, in the order in which they are removed."""

    NAMESPACE = "namespace"
    ADDRESS = "load balancer address"
    VOLUME = "persistent volume"
    DATABASE = "database"
    ROLE = "role"
    LEDGER = "ledger entry"
    STACK = "stack"
    BACKUP = "backup of a state"
    """Of a stack that is no more: `pulumi stack rm` keeps it."""
    RECORD = "record"
    LEASE = "lease"
    """Who works on the environment. It outlives it."""
    TOMBSTONE = "tombstone"
    """That the environment was destroyed on purpose. It outlives it."""


OUTLIVING = frozenset({Kind.LEASE, Kind.TOMBSTONE})
"""What may be there when an environment is gone."""

_ORDER = {kind: number for number, kind in enumerate(Kind)}


class Owner(NamedTuple):
    """Whose a thing is."""

    project: str
    ref: str


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that exists."""

    kind: Kind
    name: str
    owner: Owner | None
    """None: it cannot be proven whose it is, and so it is never touched."""
    detail: str = ""
    """For a person: a namespace's phase, a Service's address, why nobody knows whose it is."""

    def __str__(self) -> str:
        """`namespace shop-feature-test (Active)`."""
        return f"{self.kind} {self.name}" + (f" ({self.detail})" if self.detail else "")

    @property
    def sort_key(self) -> tuple[int, str]:
        """In the order of removal, then by name."""
        return _ORDER[self.kind], self.name


@dataclass(frozen=True)
class Inventory:
    """What exists, in the order of removal."""

    items: tuple[Item, ...]
    records: Mapping[str, Record] = field(default_factory=dict)
    """By ref."""
    tombstones: Mapping[str, Tombstone] = field(default_factory=dict)
    """By ref."""

    @cached_property
    def environments(self) -> dict[str, tuple[Item, ...]]:
        """By ref, in order; what outlives an environment makes none."""
        owned = [(item.owner.ref, item) for item in self.items if item.owner and item.kind not in OUTLIVING]
        owned.sort(key=lambda it: (it[0], *it[1].sort_key))
        return {ref: tuple(item for _, item in found) for ref, found in groupby(owned, key=lambda it: it[0])}

    @cached_property
    def unproven(self) -> tuple[Item, ...]:
        """What bears a name of ours and cannot be proven to be: named, and left alone."""
        return tuple(item for item in self.items if item.owner is None)

    def of_kind(self, kind: Kind) -> tuple[Item, ...]:
        """All of one kind."""
        return tuple(item for item in self.items if item.kind is kind)


@dataclass(frozen=True, slots=True)
class Server:
    """What exists on the database server."""

    owners: Mapping[str, str]
    """Database to the role that owns it."""
    roles: frozenset[str]
    address: str | None = None
    """Where it was asked, as `host:port`."""


@dataclass(frozen=True, slots=True)
class Connections:
    """How many sessions the database server can hold, and whom they are promised to."""

    available: int
    """`max_connections` without those it reserves."""
    limits: Mapping[str, int]
    """Connection limit by role, of roles that own a database of their own name, as those of environments do."""

    @property
    def promised(self) -> int:
        """What all of these roles may hold together."""
        return sum(self.limits.values())


@dataclass(frozen=True, slots=True)
class RoleLimits:
    """What one role of the database server may take."""

    connections: int
    """-1: any number."""
    statement_timeout: str
    """As PostgreSQL spells it: milliseconds, unless it names a unit; `0`: none."""
