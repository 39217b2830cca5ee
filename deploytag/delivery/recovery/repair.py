"""Does what `decide` decided: one thin action for each repair."""

from collections.abc import Mapping
from typing import Any

from deploytag.delivery.asking import asking
from deploytag.delivery.recovery import databases, namespaces, objects, releases, rights
from deploytag.delivery.recovery.repairs import (
    Administer,
    Adopt,
    AllowConnections,
    AwaitNamespaceGone,
    DeleteLedgerEntry,
    DeleteNamespace,
    DeleteObjects,
    DropDatabase,
    DropRole,
    GiveRights,
    MakeNamespace,
    Ours,
    Refresh,
    Repair,
    RollBackRelease,
    UninstallRelease,
)
from deploytag.delivery.recovery.state import ObjectName, ledger_id
from deploytag.delivery.recovery.tools import Tools
from deploytag.delivery.resource_types import CONFIG_MAP, DATABASE, DATABASE_COMPONENT, ROLE
from deploytag.errors import DeploymentError
from deploytag.identity import Identity


def repair(tools: Tools, it: Repair) -> None:  # noqa: PLR0912 - one case for each repair
    """Carry out one repair.

    Raises:
        DeployTagError: it cannot be done, or the lease was lost.
    """
    tools.lease.check()
    cluster = tools.cluster
    with asking(cluster, "repairing what a dead run left", "read and delete what is in it", namespace=None):
        match it:
            case AwaitNamespaceGone():
                tools.say(f"waiting for the namespace {it.namespace} to be gone")
                namespaces.await_gone(cluster, it.namespace)
            case MakeNamespace():
                rights.make_namespace(cluster, tools.identity)
            case GiveRights():
                rights.give(cluster, tools.identity)
            case Administer() if tools.administrator:
                databases.administer(tools.administrator, it.role)
            case AllowConnections() if tools.administrator:
                databases.allow_connections(tools.administrator, it.database)
            case DropDatabase() if tools.administrator:
                databases.drop_database(tools.administrator, it.database, tools.identity.role)
            case UninstallRelease():
                tools.say(f"uninstalling the Helm release {it.release}, which {it.why}")
                releases.uninstall(tools, it.namespace, it.release)
            case RollBackRelease():
                tools.say(f"rolling the Helm release {it.release} back, which {it.why}")
                releases.roll_back(tools, it.namespace, it.release, it.revision)
            case DeleteNamespace():
                namespaces.delete(cluster, it.namespace, it.uid)
                tools.say(f"waiting for the namespace {it.namespace} to be gone")
                namespaces.await_gone(cluster, it.namespace)
            case DeleteObjects():
                # Last of all what allows to delete the others.
                for each in sorted(it.objects, key=lambda each: each.kind == "RoleBinding"):
                    tools.lease.check()
                    objects.delete(cluster, each)
            case DropRole() if tools.administrator:
                databases.drop_role(tools.administrator, it.role)
            case DeleteLedgerEntry():
                objects.delete(cluster, ObjectName("v1", "ConfigMap", it.namespace, it.name))
            case Refresh():
                tools.say("refreshing Pulumi's state")
                tools.engine.refresh(clear_pending=it.clear_pending, exclude=it.exclude)
            case Adopt():
                tools.say(f"importing the database {it.database} into Pulumi's state")
                tools.engine.adopt(adoption(tools.engine.creations(), tools.identity, it))


def adoption(creations: Mapping[str, Any], identity: Identity, wanted: Adopt) -> dict[str, Any]:
    """Of everything the program would create, what is to be imported instead: with ids, and with what it is inside of.

    Taken from the program and not made up, so that names, parents and provider versions are those of the next `up`.
    Pure.

    Raises:
        DeploymentError: the program declares no such thing.
    """
    ids = {
        part: (type_, id_)
        for part, type_, id_ in (
            (Ours.LEDGER, CONFIG_MAP, ledger_id(identity)),
            (Ours.ROLE, ROLE, identity.role),
            (Ours.DATABASE, DATABASE, identity.database),
        )
        if part in wanted.parts
    }
    entries = creations.get("resources") or []
    components = {entry["name"]: entry for entry in entries if entry.get("component")}
    known: dict[str, str] = dict(creations.get("nameTable") or {})
    parents = {name: entry["type"] for name, entry in components.items()}
    parents |= {name: urn.split("::")[2].rpartition("$")[2] for name, urn in known.items()}
    imported = [
        {**entry, "id": id_}
        for type_, id_ in ids.values()
        for entry in entries
        if entry["type"] == type_ and parents.get(entry.get("parent", "")) == DATABASE_COMPONENT
    ]
    if len(imported) != len(ids):
        raise DeploymentError(
            f"the {', '.join(wanted.parts)} of {wanted.database} exist and are this environment's, but are not in "
            "Pulumi's state, and the program does not declare them: they can be neither used nor made anew. Deploy a "
            "commit that declares them, or run `deploytag destroy`."
        )
    inside = _ancestors(imported, components)
    return {"nameTable": known, "resources": [*inside, *imported]}


def _ancestors(imported: list[dict[str, Any]], components: Mapping[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """The components, outermost first, that the resources are inside of and that do not exist yet either."""
    found: dict[str, dict[str, Any]] = {}
    for entry in imported:
        chain, name = [], entry.get("parent")
        while name and name in components:
            chain.append(name)
            name = components[name].get("parent")
        for each in reversed(chain):
            found.setdefault(each, components[each])
    return list(found.values())
