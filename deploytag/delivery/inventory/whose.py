"""Whose is each thing that the cluster, the database server and the backend show? Pure.

An object's annotations alone prove nothing: they are copied with it. It is an environment's when it also bears the name
that this environment's would have, and no two environments share a name.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from deploytag.delivery.inventory.things import Item, Kind, Owner, Server
from deploytag.delivery.record import Record, Tombstone
from deploytag.errors import DeployTagError
from deploytag.identity import Identity, identify
from deploytag.ownership import (
    PROJECT,
    REF,
    SYSTEM_NAMESPACE,
    DatabaseFacts,
    database_elsewhere,
    foreign_database,
    names,
)

Annotations = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class NamespaceFacts:
    """A namespace."""

    name: str
    annotations: Annotations
    phase: str


@dataclass(frozen=True, slots=True)
class AddressFacts:
    """A Service of type LoadBalancer."""

    namespace: str
    name: str
    address: str


@dataclass(frozen=True, slots=True)
class VolumeFacts:
    """A persistent volume."""

    name: str
    annotations: Annotations
    claimed_from: str | None
    """The namespace of the claim it is or was bound to."""
    detail: str


@dataclass(frozen=True, slots=True)
class LedgerFacts:
    """An entry of the ledger of databases."""

    name: str
    data: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class LeaseFacts:
    """A Lease of an environment."""

    name: str
    annotations: Annotations
    holder: str


def namespace(facts: NamespaceFacts) -> Item:
    """Of the owner its annotations name."""
    owner = proven(facts.annotations, lambda identity: identity.namespace == facts.name)
    why = "" if owner else "; its annotations name no environment of this name"
    return Item(Kind.NAMESPACE, facts.name, owner, facts.phase + why)


def addresses(services: Iterable[AddressFacts], namespaces: Mapping[str, Owner]) -> list[Item]:
    """Of whoever owns the namespace."""
    return [
        Item(Kind.ADDRESS, f"{it.namespace}/{it.name}", namespaces[it.namespace], it.address)
        for it in services
        if it.namespace in namespaces
    ]


def volumes(facts: Iterable[VolumeFacts], namespaces: Mapping[str, Owner], names: frozenset[str]) -> list[Item]:
    """Of whoever owns the namespace they are claimed from, or marked them before that namespace went.

    `names`: namespaces whose volumes are of interest even when nobody can be proven to own them.
    """
    items = []
    for it in facts:
        if owner := namespaces.get(it.claimed_from or "") or _marked(it):
            items.append(Item(Kind.VOLUME, it.name, owner, it.detail))
        elif it.claimed_from in names:
            why = f"{it.detail}; it was claimed from a namespace {it.claimed_from} that tells nothing any more"
            items.append(Item(Kind.VOLUME, it.name, None, why))
    return items


def _marked(facts: VolumeFacts) -> Owner | None:
    return proven(facts.annotations, lambda identity: identity.namespace == facts.claimed_from)


def databases_of(identity: Identity, entry: LedgerFacts | None, server: Server | None) -> list[Item]:
    """The identity's ledger entry, database and role: each only when owner and ledger say the same.

    The detail of an entry whose database is on another server says so.
    """
    owner, data = Owner(identity.project, identity.ref), entry.data if entry else None
    owners, roles, address = (server.owners, server.roles, server.address) if server else ({}, frozenset(), None)
    facts = DatabaseFacts(owners.get(identity.database), identity.role in roles, data, address)
    items = []
    if entry is not None:
        ours = names(entry.data, identity)
        detail = database_elsewhere(identity, facts) or "" if ours else "it says something else"
        items.append(Item(Kind.LEDGER, entry.name, owner if ours else None, detail))
    foreign = foreign_database(identity, facts)
    proven_owner = None if foreign else owner
    if facts.owner is not None:
        items.append(Item(Kind.DATABASE, identity.database, proven_owner, foreign or ""))
    if facts.role_exists:
        items.append(Item(Kind.ROLE, identity.role, proven_owner, foreign or ""))
    return items


def all_databases(project: str, ledger: Iterable[LedgerFacts], server: Server | None) -> list[Item]:
    """Of all environments of a project, from the ledger of all projects."""
    items: list[Item] = []
    named: set[str | None] = set()
    for entry in ledger:
        named.add(entry.data.get("database"))
        identity = known(entry.data.get("project"), entry.data.get("ref"))
        if identity and identity.project == project and entry.name == identity.namespace:
            items += databases_of(identity, entry, server)
    owners = server.owners if server else {}
    # Ours are named like their owner, and the name begins with the project's.
    first = identify(project, "a").database.removesuffix("a")
    items += (
        Item(Kind.DATABASE, name, None, f"the ledger in {SYSTEM_NAMESPACE} does not name it")
        for name, role in owners.items()
        if name == role and name.startswith(first) and name not in named
    )
    return items


def lease(facts: LeaseFacts) -> Item:
    """Of the owner its annotations name."""
    owner = proven(facts.annotations, lambda identity: identity.namespace == facts.name)
    return Item(Kind.LEASE, facts.name, owner, facts.holder or "free")


def remembered(kind: Kind, it: Record | Tombstone) -> Item:
    """A record or a tombstone: only DeployTag writes them."""
    return Item(kind, identify(it.project, it.ref).namespace, Owner(it.project, it.ref))


def stack(kind: Kind, project: str, name: str, refs: Iterable[str | None]) -> Item:
    """A stack, or a backup of one, of the first of the refs whose stack has this name; of nobody when there is none."""
    for ref in refs:
        identity = known(project, ref)
        if identity and identity.stack == name:
            return Item(kind, name, Owner(project, identity.ref))
    return Item(kind, name, None, "its state names no branch of this name")


def proven(annotations: Annotations, bears_its_name: Callable[[Identity], bool]) -> Owner | None:
    """Whose an object with these annotations is, provided that it bears the name which that owner's would have."""
    identity = known(annotations.get(PROJECT), annotations.get(REF))
    return Owner(identity.project, identity.ref) if identity and bears_its_name(identity) else None


def known(project: str | None, ref: str | None) -> Identity | None:
    """The identity of what somebody wrote down; None when it is none."""
    if project is None or ref is None:
        return None
    try:
        return identify(project, ref)
    except DeployTagError:
        return None
