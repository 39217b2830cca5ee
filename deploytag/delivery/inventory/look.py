"""Everything that exists of one environment, or of all of a project.

Few questions, asked at the same time: what it costs does not grow with the number of environments, but for stacks of
which only the state itself can tell whose they are.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

import psycopg

from deploytag import ownership
from deploytag.administrator import Administrator
from deploytag.api import (
    CONFIG_MAPS,
    LEASES,
    NAMESPACES,
    PERSISTENT_VOLUMES,
    SERVICES,
    Object,
    Resource,
    annotations_of,
)
from deploytag.delivery.asking import RefusedError, asking
from deploytag.delivery.cluster import Cluster
from deploytag.delivery.inventory import checkpoint, databases, whose
from deploytag.delivery.inventory.things import OUTLIVING, Inventory, Item, Kind, Owner, Server
from deploytag.delivery.inventory.whose import AddressFacts, LeaseFacts, LedgerFacts, NamespaceFacts, VolumeFacts
from deploytag.delivery.record import Record, Tombstone
from deploytag.errors import DeploymentError, UnreachableError
from deploytag.identity import Identity, identify
from deploytag.ownership import SYSTEM_NAMESPACE

TIMEOUT = 15
"""Seconds one question to the cluster may take."""

LEDGER = f"app.kubernetes.io/managed-by=deploytag,!{ownership.KIND}"
"""Selects the ledger's entries of all projects: a database that another project's entry names is no orphan."""


class States(Protocol):
    """The backend that keeps the stacks' states."""

    def stacks(self, project: str) -> Iterable[str]:
        """Names of the project's stacks."""
        ...

    def removed(self, project: str) -> Iterable[str]:
        """Names of stacks that are no more, and of which files are left."""
        ...

    def copies(self, project: str, stack: str) -> Iterable[checkpoint.Document]:
        """Earlier states of a stack, newest first."""
        ...

    def checkpoint(self, project: str, stack: str) -> checkpoint.Document | None:
        """A stack's state; None: there is none. DeploymentError: it cannot be read."""
        ...


class Memory(Protocol):
    """What DeployTag remembers in the cluster."""

    def all(self, project: str) -> Iterable[Record]:
        """The records of a project."""
        ...

    def get(self, identity: Identity) -> Record | None:
        """One environment's record."""
        ...

    def tombstones(self, project: str) -> Iterable[Tombstone]:
        """The tombstones of a project."""
        ...

    def tombstone(self, identity: Identity) -> Tombstone | None:
        """One environment's tombstone."""
        ...


@dataclass(frozen=True, slots=True)
class Sources:
    """Where things can exist."""

    cluster: Cluster
    states: States | None
    """None: a backend that cannot be listed without its own command."""
    administrator: Administrator | None
    """None: no database server is named."""
    records: Memory


def of(identity: Identity, sources: Sources) -> Inventory:
    """Everything that exists of one identity's names.

    Raises:
        UnreachableError: somebody who has to be asked does not answer.
    """
    cluster, name = sources.cluster, identity.namespace
    # By name, as a list of one or none: the same few lines read both this and a whole project.
    by_name = f"metadata.name={name}"
    with ThreadPoolExecutor(max_workers=9) as pool:
        namespaces = pool.submit(_namespaces, cluster, fields=by_name)
        ledger = pool.submit(_ledger, cluster, fields=by_name)
        services = pool.submit(_addresses_in, cluster, name)
        volumes = pool.submit(_volumes, cluster)
        leases = pool.submit(_leases, cluster, fields=by_name)
        server = pool.submit(_server, sources.administrator)
        stack = pool.submit(_stack, identity, sources.states)
        record = pool.submit(sources.records.get, identity)
        tombstone = pool.submit(sources.records.tombstone, identity)
    owner = Owner(identity.project, identity.ref)
    spaces = [whose.namespace(it) for it in namespaces.result()]
    ours = {space.name: owner for space in spaces if space.owner == owner}
    entry = next(iter(ledger.result()), None)
    items = [
        *spaces,
        *whose.addresses(services.result(), ours),
        *(it for it in whose.volumes(volumes.result(), ours, frozenset({name})) if it.owner in (owner, None)),
        *whose.databases_of(identity, entry, server.result()),
        *stack.result(),
        *(whose.lease(it) for it in leases.result()),
    ]
    return _inventory(items, [it for it in [record.result()] if it], [it for it in [tombstone.result()] if it])


def all(project: str, sources: Sources) -> Inventory:
    """Everything that exists of any environment of `project`, and what bears its names without a proof.

    Raises:
        UnreachableError: somebody who has to be asked does not answer.
    """
    cluster, labels = sources.cluster, ownership.selector(project)
    with ThreadPoolExecutor(max_workers=10) as pool:
        namespaces = pool.submit(_namespaces, cluster, labels=labels)
        ledger = pool.submit(_ledger, cluster)
        services = pool.submit(_all_addresses, cluster, namespaces)
        volumes = pool.submit(_volumes, cluster)
        leases = pool.submit(_leases, cluster, labels=labels)
        server = pool.submit(_server, sources.administrator)
        stacks = pool.submit(lambda: sorted(sources.states.stacks(project)) if sources.states else [])
        removed = pool.submit(lambda: sorted(sources.states.removed(project)) if sources.states else [])
        records = pool.submit(lambda: list(sources.records.all(project)))
        tombstones = pool.submit(lambda: list(sources.records.tombstones(project)))
    spaces = [whose.namespace(it) for it in namespaces.result()]
    ours = {space.name: space.owner for space in spaces if space.owner and space.owner.project == project}
    items = [
        *spaces,
        *whose.addresses(services.result(), ours),
        *whose.volumes(volumes.result(), ours, frozenset(ours)),
        *whose.all_databases(project, ledger.result(), server.result()),
        *(whose.lease(it) for it in leases.result()),
    ]
    # A label holds no more than a part of a project's name.
    items = [item for item in items if item.owner is None or item.owner.project == project]
    remembered: list[Record | Tombstone] = [*records.result(), *tombstones.result()]
    refs = {item.owner.ref for item in items if item.owner} | {it.ref for it in remembered}
    if sources.states:
        items += _stacks(Kind.STACK, project, stacks.result(), refs, partial(_said, sources.states))
        items += _stacks(Kind.BACKUP, project, removed.result(), refs, partial(_said_before, sources.states))
    return _inventory(items, records.result(), tombstones.result())


def _inventory(items: list[Item], records: list[Record], tombstones: list[Tombstone]) -> Inventory:
    items += (whose.remembered(Kind.RECORD, it) for it in records)
    items += (whose.remembered(Kind.TOMBSTONE, it) for it in tombstones)
    return Inventory(
        tuple(sorted(items, key=lambda item: item.sort_key)),
        {it.ref: it for it in records},
        {it.ref: it for it in tombstones},
    )


def left(inventory: Inventory) -> list[Item]:
    """What has to be gone before an environment is."""
    return [item for item in inventory.items if item.kind not in OUTLIVING]


# --- stacks -----------------------------------------------------------------------------------------------------------


def _stack(identity: Identity, states: States | None) -> list[Item]:
    project, name = identity.project, identity.stack
    if states is None:
        return []
    if name in states.stacks(project):
        kind, said = Kind.STACK, _said(states, project, name)
    elif name in states.removed(project):
        kind, said = Kind.BACKUP, _said_before(states, project, name)
    else:
        return []
    # The name belongs to this ref alone, and who asks names the ref: a state that says nothing is this ref's.
    return [whose.stack(kind, project, name, [said or identity.ref])]


def _stacks(
    kind: Kind, project: str, names: list[str], refs: Iterable[str], said: Callable[[str, str], str | None]
) -> list[Item]:
    """Each stack's owner: known by its other things, else read from its state."""
    known = {identify(project, ref).stack: ref for ref in refs}
    unknown = [name for name in names if name not in known]

    with ThreadPoolExecutor(max_workers=16) as pool:
        read = dict(zip(unknown, pool.map(partial(said, project), unknown), strict=True))
    return [whose.stack(kind, project, name, [known.get(name), read.get(name)]) for name in names]


def _said(states: States, project: str, stack: str) -> str | None:
    """The ref that a state names; None when it names none, or cannot be read."""
    try:
        return checkpoint.ref_of(states.checkpoint(project, stack) or {})
    except DeploymentError:
        return None


def _said_before(states: States, project: str, stack: str) -> str | None:
    """The ref that the states of a stack that is no more name."""
    return checkpoint.ref_among(states.copies(project, stack))


# --- asking -----------------------------------------------------------------------------------------------------------


def _namespaces(cluster: Cluster, **selection: str) -> list[NamespaceFacts]:
    return [
        NamespaceFacts(it["metadata"]["name"], annotations_of(it), (it.get("status") or {}).get("phase", ""))
        for it in _list(cluster, "namespaces", NAMESPACES, **selection)
    ]


def _ledger(cluster: Cluster, **selection: str) -> list[LedgerFacts]:
    found = _list(cluster, "config maps", CONFIG_MAPS, SYSTEM_NAMESPACE, labels=LEDGER, **selection)
    return [LedgerFacts(it["metadata"]["name"], ownership.said_by_ledger(it)) for it in found]


def _all_addresses(cluster: Cluster, namespaces: Future[list[NamespaceFacts]]) -> list[AddressFacts]:
    """Of the whole cluster at once; where this user may not ask that, of each namespace."""
    try:
        return _addresses(_list(cluster, "services", SERVICES, fields="spec.type=LoadBalancer"))
    except RefusedError:
        names = [space.name for space in namespaces.result()]
    with ThreadPoolExecutor(max_workers=8) as pool:
        return [address for found in pool.map(partial(_addresses_in, cluster), names) for address in found]


def _addresses_in(cluster: Cluster, namespace: str) -> list[AddressFacts]:
    """Of one namespace; none where this user may not look: it is none of ours, or holds nothing yet."""
    try:
        return _addresses(_list(cluster, "services", SERVICES, namespace))
    except RefusedError:
        return []


def _addresses(services: Iterable[Object]) -> list[AddressFacts]:
    return [
        AddressFacts(it["metadata"]["namespace"], it["metadata"]["name"], ", ".join(_ingress(it.get("status") or {})))
        for it in services
        if it["spec"].get("type") == "LoadBalancer"
    ]


def _ingress(status: Object) -> list[str]:
    entries = (status.get("loadBalancer") or {}).get("ingress") or []
    return [entry.get("hostname") or entry.get("ip") or "?" for entry in entries]


def _volumes(cluster: Cluster) -> list[VolumeFacts]:
    return [
        VolumeFacts(
            it["metadata"]["name"],
            annotations_of(it),
            (it["spec"].get("claimRef") or {}).get("namespace"),
            f"{(it.get('status') or {}).get('phase')}, {it['spec'].get('persistentVolumeReclaimPolicy')}",
        )
        for it in _list(cluster, "persistent volumes", PERSISTENT_VOLUMES)
    ]


def _leases(cluster: Cluster, **selection: str) -> list[LeaseFacts]:
    return [
        LeaseFacts(it["metadata"]["name"], annotations_of(it), (it.get("spec") or {}).get("holderIdentity") or "")
        for it in _list(cluster, "leases", LEASES, SYSTEM_NAMESPACE, **selection)
    ]


def _list(
    cluster: Cluster,
    what: str,
    resource: Resource,
    namespace: str | None = None,
    *,
    labels: str | None = None,
    fields: str | None = None,
) -> Sequence[Object]:
    with asking(cluster, f"looking for {what}", f"list {what}", namespace=None):
        return cluster.api.list(resource, namespace, timeout=TIMEOUT, labels=labels, fields=fields).items


def _server(administrator: Administrator | None) -> Server | None:
    if administrator is None:
        return None
    with databases.connected(administrator) as connection:
        try:
            return replace(connection.look(), address=administrator.server)
        except psycopg.Error as error:
            raise UnreachableError(f"PostgreSQL cannot be asked which databases exist: {error}.") from None
