"""Where records, build logs and tombstones are kept: a ConfigMap each, in the cluster's system namespace."""

import logging
from collections.abc import Callable
from functools import partial
from typing import Generic, TypeVar

from kubernetes.client.exceptions import ApiException
from pydantic import TypeAdapter, ValidationError
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random

from deploytag.api import CONFIG_MAPS, Object, annotations_of
from deploytag.delivery.asking import TIMEOUT, ConflictError, asking, every
from deploytag.delivery.cluster import Cluster
from deploytag.delivery.record import BuildLog, Record, Tombstone
from deploytag.errors import BusyError, OwnershipError
from deploytag.identity import Identity
from deploytag.ownership import KIND, PROJECT, REF, SYSTEM_NAMESPACE, annotations, labels, owns, selector

KEY = "record"
"""The only key of such a ConfigMap."""

WRITES = 5
"""How often a write is tried while others write to the same entry."""

Entry = TypeVar("Entry", bound=Record | BuildLog | Tombstone)

_LOG = logging.getLogger(__name__)


class Records:
    """Records, build logs and tombstones of one cluster.

    Args:
        cluster: the cluster of the policy.
        report: told a sentence about each entry that cannot be read; it is otherwise as if there were none.

    Every method raises:
        UnreachableError: the API server does not answer, or refuses.
        OwnershipError: the entry is that of another branch, or the cluster has no system namespace.
    """

    def __init__(self, cluster: Cluster, report: Callable[[str], None] = _LOG.warning) -> None:
        self._records = _Entries(cluster, "record", Record, report)
        self._builds = _Entries(cluster, "build-log", BuildLog, report)
        self._tombstones = _Entries(cluster, "tombstone", Tombstone, report)

    def get(self, identity: Identity) -> Record | None:
        """What is remembered of the environment."""
        return self._records.get(identity)

    def all(self, project: str) -> list[Record]:
        """What is remembered of every environment of the project."""
        return self._records.all(project)

    def update(self, identity: Identity, change: Callable[[Record | None], Record]) -> Record:
        """Remember what `change` makes of what is remembered; nothing that is written meanwhile gets lost.

        Raises:
            BusyError: others kept writing to it.
        """
        return self._records.update(identity, change)

    def amend(self, identity: Identity, change: Callable[[Record], Record]) -> Record | None:
        """The same where something is remembered; None: nothing is, and nothing was written.

        Raises:
            BusyError: others kept writing to it.
        """

        def changed(now: Record | None) -> Record:
            if now is None:
                raise _NothingRememberedError
            return change(now)

        try:
            return self._records.update(identity, changed)
        except _NothingRememberedError:
            return None

    def delete(self, identity: Identity) -> None:
        """Remember nothing of the environment any more."""
        # First: where there is a record, a collection finds what is left.
        self._builds.delete(identity)
        self._records.delete(identity)

    def build_log(self, identity: Identity) -> BuildLog | None:
        """What the last build printed; None when there was none since the environment was made."""
        return self._builds.get(identity)

    def keep_build_log(self, identity: Identity, log: BuildLog) -> None:
        """Remember what a build printed, instead of what the one before did."""
        self._builds.update(identity, lambda _: log)

    def tombstone(self, identity: Identity) -> Tombstone | None:
        """Whether and when the environment was destroyed on purpose."""
        return self._tombstones.get(identity)

    def tombstones(self, project: str) -> list[Tombstone]:
        """Every tombstone of the project."""
        return self._tombstones.all(project)

    def bury(self, identity: Identity, tombstone: Tombstone) -> None:
        """Say that the environment was destroyed on purpose."""
        self._tombstones.update(identity, lambda _: tombstone)

    def clear(self, identity: Identity) -> None:
        """Say no longer that it was destroyed."""
        self._tombstones.delete(identity)


class _NothingRememberedError(Exception):
    """There is no record to change."""


class _Entries(Generic[Entry]):
    """One kind of entry: `<namespace>.<kind>`, a name that no ConfigMap of the program can have."""

    def __init__(self, cluster: Cluster, kind: str, model: type[Entry], report: Callable[[str], None]) -> None:
        self._cluster = cluster
        self._kind = kind
        self._adapter: TypeAdapter[Entry] = TypeAdapter(model)
        self._report = report

    def get(self, identity: Identity) -> Entry | None:
        """The environment's entry."""
        found = self._find(identity)
        return self._entry(found) if found else None

    def all(self, project: str) -> list[Entry]:
        """Every readable entry of the project."""
        listing = partial(
            self._cluster.api.list,
            CONFIG_MAPS,
            SYSTEM_NAMESPACE,
            labels=f"{selector(project)},{KIND}={self._kind}",
            timeout=TIMEOUT,
        )
        with asking(self._cluster, f"listing the {self._kind}s of {project}", "list configmaps"):
            found = every(listing)
        # The label holds only as much of a project's name as a label can.
        entries = [self._entry(one) for one in found if annotations_of(one).get(PROJECT) == project]
        return [entry for entry in entries if entry is not None]

    def update(self, identity: Identity, change: Callable[[Entry | None], Entry]) -> Entry:
        """Write what `change` makes of the entry."""
        tries = Retrying(
            retry=retry_if_exception_type(ConflictError),
            stop=stop_after_attempt(WRITES),
            wait=wait_random(0, 0.2),
            reraise=True,
        )
        try:
            return tries(self._update_once, identity, change)
        except ConflictError as conflict:
            raise BusyError(
                f"the {self._kind} of {identity.ref} was not written, because others kept writing to it ({conflict}). "
                "Run it again."
            ) from None

    def delete(self, identity: Identity) -> None:
        """Remove the entry; that there is none is no error."""
        found = self._find(identity)
        if found is None:
            return
        with asking(self._cluster, f"removing the {self._kind} of {identity.ref}", "delete configmaps"):
            self._cluster.api.delete(
                CONFIG_MAPS, self._name(identity), SYSTEM_NAMESPACE, uid=found["metadata"]["uid"], timeout=TIMEOUT
            )

    def _update_once(self, identity: Identity, change: Callable[[Entry | None], Entry]) -> Entry:
        found = self._find(identity)
        before = self._entry(found) if found else None
        entry = change(before)
        if entry == before:
            return entry
        if (entry.project, entry.ref) != (identity.project, identity.ref):
            raise OwnershipError(
                f"a {self._kind} of {entry.ref} ({entry.project}) cannot be that of {identity.ref} "
                f"({identity.project}); nothing was written."
            )
        metadata = {
            "name": self._name(identity),
            "namespace": SYSTEM_NAMESPACE,
            "labels": {**labels(identity), KIND: self._kind},
            "annotations": annotations(identity),
        }
        body: Object = {"metadata": metadata, "data": {KEY: entry.model_dump_json()}}
        if found is None:
            with asking(self._cluster, f"writing the {self._kind} of {identity.ref}", "create configmaps"):
                self._cluster.api.create(CONFIG_MAPS, body, SYSTEM_NAMESPACE, timeout=TIMEOUT)
            return entry
        metadata |= {name: found["metadata"][name] for name in ("uid", "resourceVersion")}
        with asking(self._cluster, f"writing the {self._kind} of {identity.ref}", "update configmaps"):
            try:
                self._cluster.api.replace(CONFIG_MAPS, body, SYSTEM_NAMESPACE, timeout=TIMEOUT)
            except ApiException as error:
                if error.status == 404:
                    raise ConflictError("it was removed meanwhile") from None
                raise
        return entry

    def _find(self, identity: Identity) -> Object | None:
        with asking(self._cluster, f"reading the {self._kind} of {identity.ref}", "get configmaps"):
            found = self._cluster.api.find(CONFIG_MAPS, self._name(identity), SYSTEM_NAMESPACE, timeout=TIMEOUT)
        if found is None:
            return None
        if not owns(identity, annotations_of(found)):
            raise OwnershipError(
                f"the ConfigMap {self._name(identity)} in {SYSTEM_NAMESPACE} is not the {self._kind} of {identity.ref} "
                f"(it names {annotations_of(found).get(REF, 'no branch')}): it was left alone. Remove it by hand."
            )
        return found

    def _entry(self, found: Object) -> Entry | None:
        name = found["metadata"].get("name")
        try:
            return self._adapter.validate_json((found.get("data") or {})[KEY])
        except KeyError:
            why = f"it has no key {KEY}"
        except ValidationError as error:
            why = "; ".join(f"{'.'.join(map(str, one['loc'])) or KEY}: {one['msg']}" for one in error.errors())
        self._report(f"the {self._kind} {name} in {SYSTEM_NAMESPACE} cannot be read, and is as if it were not: {why}")
        return None

    def _name(self, identity: Identity) -> str:
        return f"{identity.namespace}.{self._kind}"
