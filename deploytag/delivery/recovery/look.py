"""Looks at an environment before a run: a handful of questions, all at once. Only reads."""

import re
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

import psutil
from kubernetes.client.exceptions import ApiException

from deploytag.api import (
    CONFIG_MAPS,
    LIMIT_RANGES,
    NAMESPACES,
    NETWORK_POLICIES,
    RESOURCE_QUOTAS,
    ROLE_BINDINGS,
    SECRETS,
    SERVICE_ACCOUNTS,
    annotations_of,
    deleted_at,
)
from deploytag.delivery.asking import FORBIDDEN, asking
from deploytag.delivery.cluster import Cluster
from deploytag.delivery.recovery import databases, objects
from deploytag.delivery.recovery.facts import Facts, NamespaceFacts, Revision, ServerFacts, Status
from deploytag.delivery.recovery.locks import SKEW, SeenLock
from deploytag.delivery.recovery.state import ObjectName, State, release_id
from deploytag.delivery.recovery.tools import Tools
from deploytag.delivery.resource_types import RELEASE
from deploytag.delivery.store import Lock
from deploytag.identity import Identity
from deploytag.ownership import SYSTEM_NAMESPACE, DatabaseFacts, labels, said_by_ledger
from deploytag.rights import API_GROUP, BINDING

_STATUSES = frozenset(Status)

Found = TypeVar("Found")


def look_at_locks(tools: Tools) -> list[SeenLock]:
    """The stack's locks."""
    if tools.store is None:
        return []
    identity = tools.identity
    locks = tools.store.locks(identity.project, identity.stack)
    return [SeenLock(lock, _runs_here(lock)) for lock in locks]


def _runs_here(lock: Lock) -> bool:
    """Whether the lock's process runs on this machine; a later one of the same number is another process."""
    if lock.holder is None or lock.holder.hostname != socket.gethostname():
        return False
    try:
        process = psutil.Process(lock.holder.pid)
        # One that was killed may wait for its parent to notice.
        dead, started = process.status() == psutil.STATUS_ZOMBIE, process.create_time()
    except psutil.Error:
        return False
    return not dead and started <= (lock.holder.timestamp + SKEW).timestamp()


def look(tools: Tools) -> Facts:
    """What there is of the environment.

    Raises:
        UnreachableError: the state, the cluster or the database server cannot be asked.
        DeploymentError: the stack's checkpoint cannot be read.
    """
    identity, cluster = tools.identity, tools.cluster
    with (
        ThreadPoolExecutor() as pool,
        asking(cluster, f"looking at what there is of {identity.ref}", "read what is in its namespace", namespace=None),
    ):
        state = pool.submit(_state, tools)
        namespace = pool.submit(_namespace, cluster, identity)
        entry = pool.submit(_ledger, cluster, identity)
        secrets = pool.submit(_secrets, cluster, identity)
        server = pool.submit(databases.look, tools.administrator, identity) if tools.administrator else None
        seen = _unless_locked_out(cluster, identity, secrets.result)
        found = Facts(
            identity,
            state.result(),
            namespace.result(),
            tuple(_revisions(seen or [], identity)),
            tuple(_labelled(seen or [], identity)),
            seen is None and namespace.result() is not None,
            entry.result(),
        )
        if server and tools.administrator:
            it = server.result()
            database = DatabaseFacts(it.owner, it.role_exists, found.ledger, tools.administrator.server)
            found = found.but(server=ServerFacts(database, it.allows_connections, it.is_administered, it.is_invalid))
        if found.namespace and not found.locked_out and _may_have_orphans(found):
            # Rights go a moment after the RoleBinding that a repair deleted: what could be seen may be so no more.
            more = _unless_locked_out(cluster, identity, lambda: _more_objects(cluster, pool, found))
            found = found.but(locked_out=True) if more is None else found.but(objects=(*found.objects, *more))
    return found


def _state(tools: Tools) -> State:
    identity = tools.identity
    if tools.store is None:
        deployment = (tools.engine.state() or {}).get("deployment")
    else:
        deployment = tools.store.checkpoint(identity.project, identity.stack)
    return State.of(deployment or {})


def _namespace(cluster: Cluster, identity: Identity) -> NamespaceFacts | None:
    found = cluster.api.find(NAMESPACES, identity.namespace, timeout=objects.TIMEOUT)
    if found is None:
        return None
    return NamespaceFacts(found["metadata"]["uid"], annotations_of(found), deleted_at(found) is not None)


def _ledger(cluster: Cluster, identity: Identity) -> dict[str, str] | None:
    found = cluster.api.find(CONFIG_MAPS, identity.namespace, SYSTEM_NAMESPACE, timeout=objects.TIMEOUT)
    return None if found is None else said_by_ledger(found)


def _secrets(cluster: Cluster, identity: Identity) -> list[dict[str, Any]]:
    """The metadata of the namespace's Secrets: what is in them is not for us, and that of Helm is long."""
    found = cluster.api.list(SECRETS, identity.namespace, timeout=objects.TIMEOUT, metadata_only=True)
    return [item["metadata"] for item in found.items]


def _unless_locked_out(cluster: Cluster, identity: Identity, ask: Callable[[], list[Found]]) -> list[Found] | None:
    """What was found; None where nothing may be seen for want of the namespace's RoleBinding."""
    try:
        return ask()
    except ApiException as error:
        if error.status != FORBIDDEN or _role_binding(cluster, identity) is not None:
            raise
        return None


def _role_binding(cluster: Cluster, identity: Identity) -> object | None:
    return cluster.api.find(ROLE_BINDINGS, BINDING, identity.namespace, timeout=objects.TIMEOUT)


def _revisions(secrets: list[dict[str, Any]], identity: Identity) -> list[Revision]:
    found = []
    for metadata in secrets:
        match metadata.get("labels"):
            case {"owner": "helm", "name": identity.release, "version": str(version), "status": str(status)}:
                # A program can make a Secret that says it is Helm's. What Helm could not have made is none of it.
                if re.fullmatch(r"[1-9][0-9]{0,8}", version) and status in _STATUSES:
                    found.append(Revision(int(version), Status(status)))
    return sorted(found, key=lambda revision: revision.version)


def _labelled(secrets: list[dict[str, Any]], identity: Identity) -> Iterator[ObjectName]:
    ours = labels(identity).items()
    for metadata in secrets:
        if ours <= (metadata.get("labels") or {}).items():
            yield ObjectName("v1", "Secret", identity.namespace, metadata["name"])


def _may_have_orphans(found: Facts) -> bool:
    """Everything else is made before the first release, so with a release known and nothing pending all is known."""
    return bool(found.state.pending) or not found.state.find(RELEASE, release_id(found.identity))


def _more_objects(cluster: Cluster, pool: ThreadPoolExecutor, found: Facts) -> list[ObjectName]:
    identity = found.identity
    selector = ",".join(f"{key}={value}" for key, value in labels(identity).items())
    questions = (
        ("v1", "ServiceAccount", SERVICE_ACCOUNTS),
        ("v1", "ResourceQuota", RESOURCE_QUOTAS),
        ("v1", "LimitRange", LIMIT_RANGES),
        ("networking.k8s.io/v1", "NetworkPolicy", NETWORK_POLICIES),
    )
    listing = partial(cluster.api.list, namespace=identity.namespace, labels=selector, timeout=objects.TIMEOUT)
    answers = [(version, kind, pool.submit(listing, resource)) for version, kind, resource in questions]
    more = [
        ObjectName(version, kind, identity.namespace, item["metadata"]["name"])
        for version, kind, answer in answers
        for item in answer.result().items
    ]
    # By its name, as this user may see no other.
    if _role_binding(cluster, identity) is not None:
        more.append(ObjectName(f"{API_GROUP}/v1", "RoleBinding", identity.namespace, BINDING))
    # A program of one's own makes other kinds, too; what was being made says its name.
    begun = {it.object for it in found.state.pending if it.operation == "creating" and it.object}
    begun = {it for it in begun if it.namespace == identity.namespace} - {*more, *found.objects}
    return [*more, *(it for it in begun if objects.exists(cluster, it))]
