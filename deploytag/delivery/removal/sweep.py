"""Removes single things directly, whatever a state says of them: what an engine left, or never knew.

Each only when it is provably the environment's, asked immediately before; and each by itself, so that one that cannot
be removed keeps nothing else. What proves whose the others are goes after them.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import psycopg
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from deploytag.api import CONFIG_MAPS, NAMESPACES, PERSISTENT_VOLUMES, deleted_at
from deploytag.delivery.inventory import checkpoint, databases
from deploytag.delivery.inventory import look as inventory
from deploytag.delivery.inventory.databases import Databases
from deploytag.delivery.inventory.look import Sources
from deploytag.delivery.inventory.things import Item, Kind
from deploytag.delivery.recovery import namespaces, objects
from deploytag.delivery.removal import volumes
from deploytag.delivery.removal.volumes import REQUEST
from deploytag.documents import DocumentError
from deploytag.errors import BusyError, DeployTagError, InterruptedRunError, LeftoverError
from deploytag.identity import Identity
from deploytag.ownership import SYSTEM_NAMESPACE

NAMESPACE_SECONDS = 60.0
"""From when a namespace was told to go until what keeps it is named."""
AT_LEAST = 10.0
"""Seconds that a namespace is waited for which was told long ago. What held it may have let go just now, and Kubernetes
looks 8 s after it last found a finalizer (`k8s.io/kubernetes/pkg/controller/namespace`)."""
VOLUME_SECONDS = 30.0
"""Until a volume has to be deleted by whoever provisioned it."""


@dataclass(frozen=True, slots=True)
class Leftover:
    """Something that is still there, and why."""

    item: Item
    reason: str

    def __str__(self) -> str:
        """`namespace shop-feature-test: it does not end: ConfigMap held has the finalizer example.com/hold`."""
        return f"{self.item.kind} {self.item.name}: {self.reason}"


class Remembering(Protocol):
    """What takes away a record."""

    def delete(self, identity: Identity) -> None:
        """Delete the environment's record; none is no error."""
        ...


@dataclass(frozen=True, slots=True)
class Sweep:
    """Removes what is left of one environment."""

    identity: Identity
    sources: Sources
    records: Remembering
    remove_stack: Callable[[], None]
    """Removes the stack with its state, whatever that holds."""
    check: Callable[[], None]
    """Raises when this run may not write any more: asked right before each write."""
    namespace_seconds: float = NAMESPACE_SECONDS

    def remove(self, items: Iterable[Item]) -> list[Leftover]:
        """Remove the items, in the inventory's order; what could not be.

        Raises:
            BusyError: the lease is lost; nothing was written since.
            InterruptedRunError: a signal came; nothing was written since.
        """
        leftovers: list[Leftover] = []
        for item in items:
            if reason := hindrance(self.identity, item, leftovers) or _elsewhere(item) or self._remove(item):
                leftovers.append(Leftover(item, reason))
        return leftovers

    def _remove(self, item: Item) -> str | None:
        """Why it is still there; None: it is gone."""
        try:
            now = next((it for it in self._look() if (it.kind, it.name) == (item.kind, item.name)), None)
            if now is None:
                return None
            if reason := hindrance(self.identity, now, []):
                return reason
            self._removers[item.kind](now)
        except (BusyError, InterruptedRunError):
            raise
        except DeployTagError as error:
            return str(error)
        except ApiException as error:
            return f"the cluster refuses: {error.status} {error.reason}"
        except (HTTPError, DocumentError, psycopg.Error) as error:
            return str(error).strip().splitlines()[0]
        return None

    def _look(self) -> tuple[Item, ...]:
        return inventory.of(self.identity, self.sources).items

    @property
    def _removers(self) -> Mapping[Kind, Callable[[Item], None]]:
        return {
            Kind.NAMESPACE: self._namespace,
            Kind.ADDRESS: self._address,
            Kind.VOLUME: self._volume,
            Kind.DATABASE: self._database,
            Kind.ROLE: self._role,
            Kind.LEDGER: self._ledger,
            Kind.STACK: self._stack,
            Kind.BACKUP: self._backup,
            Kind.RECORD: self._record,
        }

    def _namespace(self, item: Item) -> None:
        cluster = self.sources.cluster
        found = cluster.api.find(NAMESPACES, item.name, timeout=REQUEST)
        if found is None:
            return
        told = deleted_at(found)
        if told is None:
            volumes.keep_hold(self.identity, cluster, self.check)
            self.check()
            # The very one that was looked at, and not one that somebody made of the same name meanwhile.
            namespaces.delete(cluster, item.name, found["metadata"]["uid"])
        waited = (datetime.now(UTC) - told).total_seconds() if told else 0.0
        namespaces.await_gone(cluster, item.name, max(AT_LEAST, self.namespace_seconds - waited))

    def _address(self, _: Item) -> None:
        raise LeftoverError("it goes with its namespace")

    def _volume(self, item: Item) -> None:
        """A provisioned volume is deleted by its provisioner, a person's one by us: what is behind it is theirs."""
        if item.detail.endswith("Delete") and self._volume_goes(item.name, VOLUME_SECONDS):
            return
        self.check()
        self.sources.cluster.api.delete(PERSISTENT_VOLUMES, item.name, timeout=REQUEST)
        if not self._volume_goes(item.name, AT_LEAST):
            raise LeftoverError("it was told to go and does not; its finalizers say who holds it")

    def _volume_goes(self, name: str, seconds: float) -> bool:
        return objects.await_gone(self.sources.cluster, PERSISTENT_VOLUMES, name, patience=seconds)

    def _database(self, _: Item) -> None:
        with self._server() as server:
            self.check()
            server.drop_database(self.identity.database, self.identity.role)

    def _role(self, _: Item) -> None:
        with self._server() as server:
            self.check()
            server.drop_role(self.identity.role)

    def _ledger(self, item: Item) -> None:
        if self.sources.administrator is None:
            raise LeftoverError(f"it says that there is a database, and {NO_SERVER}")
        self.check()
        self.sources.cluster.api.delete(CONFIG_MAPS, item.name, SYSTEM_NAMESPACE, timeout=REQUEST)

    def _stack(self, item: Item) -> None:
        states = self.sources.states
        document = states.checkpoint(self.identity.project, item.name) if states else None
        if beyond := checkpoint.beyond(document or {}, self.identity):
            raise LeftoverError(f"its state is all that knows of {', '.join(beyond)}, which only Pulumi can delete")
        self.check()
        self.remove_stack()

    def _backup(self, item: Item) -> None:
        states = self.sources.states
        document = next(iter(states.copies(self.identity.project, item.name)), None) if states else None
        if beyond := checkpoint.beyond(document or {}, self.identity):
            raise LeftoverError(
                f"it is all that knows of {', '.join(beyond)}: `pulumi stack import` it into a new stack of this name, "
                "or remove these by hand and then it"
            )
        self.check()
        self.remove_stack()

    def _record(self, _: Item) -> None:
        self.check()
        self.records.delete(self.identity)

    def _server(self) -> AbstractContextManager[Databases]:
        if self.sources.administrator is None:
            raise LeftoverError(NO_SERVER)
        return databases.connected(self.sources.administrator)


def _elsewhere(item: Item) -> str | None:
    """Why a ledger's entry stays, which says of another server that it has the database.

    As it was seen before anything was dropped: a server may go by two names.
    """
    return item.detail or None if item.kind is Kind.LEDGER else None


NO_SERVER = "no database server is named: set PGHOST, with PGUSER and PGPASSWORD of its administrator"


def hindrance(identity: Identity, item: Item, left_before: Iterable[Leftover]) -> str | None:
    """Why the item must not be removed, now or ever; None when it may be. Pure."""
    if item.owner != (identity.project, identity.ref):
        why = f": {item.detail}" if item.detail else ""
        return f"it cannot be proven to be {identity.ref}'s, and was left alone{why}. Remove it by hand if it is"
    kept = {it.item.kind for it in left_before}
    if item.kind is Kind.ROLE and Kind.DATABASE in kept:
        return "it owns the database that is left"
    if item.kind is Kind.LEDGER and kept & {Kind.DATABASE, Kind.ROLE}:
        return "it is the proof of whose the database and the role are"
    if item.kind is Kind.RECORD and kept:
        return "it stays until nothing else is left"
    return None
