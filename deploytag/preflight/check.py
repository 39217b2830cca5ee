"""All the looks of a run, cheapest first; each stops the run before anything is made."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from deploytag.administrator import Administrator
from deploytag.errors import OwnershipError, UnreachableError
from deploytag.identity import Identity
from deploytag.ownership import SYSTEM_NAMESPACE, DatabaseFacts, database_elsewhere, foreign_database, owns
from deploytag.preflight import addresses, chart, cluster, database, rights
from deploytag.preflight.endpoints import (
    Endpoint,
    aws_endpoint,
    builder_endpoint,
    database_endpoint,
    kubeconfig_path,
    registry_endpoint,
)
from deploytag.preflight.patience import ask
from deploytag.preflight.reach import unreachable
from deploytag.rights import Subject
from deploytag.settings import Cluster, Isolation


@dataclass(frozen=True, slots=True)
class Target:
    """What a run is about to deploy, and what it needs for that."""

    identity: Identity
    cluster: Cluster
    registry: str
    builder: str | None
    chart: Path
    values: Mapping[str, Any]
    """The chart's values, with a placeholder for the image."""
    administrator: Administrator | None
    """Who makes its database; None where it has none."""
    needs_secrets: bool
    isolation: Isolation
    """What its pods may reach, which its chart must not widen."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the program has to know of what was looked at."""

    deployers: tuple[Subject, ...] | None
    """Whom to give rights in the namespace; None: they come from elsewhere."""
    isolation: Isolation
    """The class's, with the addresses of the API server among the cluster's own."""


async def check(target: Target, environ: Mapping[str, str]) -> Seen:
    """Look at everything a deployment of `target` needs. Reads only.

    Each step has its limit, and those that wait for a service wait at the same time: whichever service is silent, a run
    says so within five seconds of asking.

    Raises:
        DeployTagError: what is wrong, on what, and what to do; nothing was touched.
    """
    administrator = target.administrator
    kubeconfig = kubeconfig_path(environ)
    api, current = await cluster.connect_in_time(kubeconfig)
    if complaint := cluster.unexpected(target.cluster, current):
        raise OwnershipError(complaint)
    endpoints = _endpoints(target, administrator, environ, cluster.endpoint(current, kubeconfig, environ))
    if complaints := await unreachable(endpoints):
        raise UnreachableError("\n  ".join(["nothing was touched:", *complaints]))
    isolation = addresses.apart_from(target.isolation, await addresses.networks_of_api_server(current.server))
    # Waits for other programs: at the same time, and the first that complains ends the run.
    _, facts, deployers, (owner, role_exists) = await asyncio.gather(
        _render(target, isolation),
        cluster.look(api, target.identity),
        rights.deployers(api, target.identity.project),
        _owner_and_role(administrator, target.identity),
    )
    databases = DatabaseFacts(owner, role_exists, facts.ledger, administrator.server if administrator else None)
    if complaint := foreign(target.identity, facts, databases, needs_database=administrator is not None):
        raise OwnershipError(complaint)
    return Seen(deployers, isolation)


async def _render(target: Target, isolation: Isolation) -> None:
    identity = target.identity
    # Helm has a time limit of its own.
    await ask(
        2 * chart.TIMEOUT,
        partial(chart.check, target.chart, identity.release, identity.namespace, target.values, isolation),
    )


async def _owner_and_role(administrator: Administrator | None, identity: Identity) -> tuple[str | None, bool]:
    if administrator is None:
        return None, False
    try:
        return await ask(database.TIMEOUT, partial(database.owner_and_role, administrator, identity))
    except TimeoutError:
        raise UnreachableError(
            f"PostgreSQL at {administrator.host}:{administrator.port} takes connections, but has said nothing for "
            f"{database.TIMEOUT} s; nothing was touched. The address comes from PGHOST and PGPORT."
        ) from None


def _endpoints(
    target: Target, administrator: Administrator | None, environ: Mapping[str, str], api_server: Endpoint | None
) -> list[Endpoint]:
    wanted = [
        api_server,
        registry_endpoint(target.registry, environ),
        builder_endpoint(target.builder, environ),
        database_endpoint(administrator) if administrator else None,
        aws_endpoint(environ) if target.needs_secrets else None,
    ]
    return [endpoint for endpoint in wanted if endpoint is not None]


def foreign(
    identity: Identity, namespace: cluster.NamespaceFacts, databases: DatabaseFacts, *, needs_database: bool
) -> str | None:
    """Why something of the identity's names is somebody else's; None when all is ours or absent. Pure."""
    if namespace.annotations is not None and not owns(identity, namespace.annotations):
        return (
            f"the namespace {identity.namespace} exists and is not that of {identity.ref} (its annotations "
            f"{_said(namespace.annotations)}): it was left alone, nothing was touched. Rename the branch or remove the "
            "namespace by hand."
        )
    if not needs_database:
        return None
    if complaint := database_elsewhere(identity, databases):
        return f"{complaint}. Nothing was touched."
    if complaint := foreign_database(identity, databases):
        return f"{complaint}: it was left alone, nothing was touched. Rename the branch or remove it by hand."
    if not namespace.system_namespace:
        return (
            f"the cluster has no namespace {SYSTEM_NAMESPACE}, where the ledger of databases is kept. Make it once: "
            f"`kubectl create namespace {SYSTEM_NAMESPACE}`."
        )
    return None


def _said(annotations: Mapping[str, str]) -> str:
    ours = {key: value for key, value in annotations.items() if key.startswith("deploytag.dev/")}
    return "say " + ", ".join(f"{key}: {value}" for key, value in ours.items()) if ours else "name no branch"
