"""All the looks of a run, cheapest first; each stops the run before anything is made."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploytag.errors import OwnershipError, UnreachableError
from deploytag.identity import Identity
from deploytag.ownership import SYSTEM_NAMESPACE, DatabaseFacts, foreign_database, owns
from deploytag.preflight import chart, cluster, database
from deploytag.preflight.endpoints import (
    Endpoint,
    aws_endpoint,
    builder_endpoint,
    database_endpoint,
    kubeconfig_path,
    registry_endpoint,
)
from deploytag.preflight.reach import unreachable
from deploytag.settings import Cluster


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
    needs_database: bool
    needs_secrets: bool


async def check(target: Target, environ: Mapping[str, str]) -> None:
    """Look at everything a deployment of `target` needs. Reads only; at most a few seconds.

    Raises:
        DeployTagError: what is wrong, on what, and what to do; nothing was touched.
    """
    kubeconfig = kubeconfig_path(environ)
    api, current = cluster.connect(kubeconfig)
    if complaint := cluster.unexpected(target.cluster, current):
        raise OwnershipError(complaint)
    endpoints = [cluster.endpoint(current, kubeconfig), *_endpoints(target, environ)]
    if complaints := await unreachable(endpoints):
        raise UnreachableError("\n  ".join(["nothing was touched:", *complaints]))
    # Three waits on three other programs: at the same time.
    rendered = asyncio.to_thread(
        chart.render, target.chart, target.identity.release, target.identity.namespace, target.values
    )
    seen = asyncio.to_thread(cluster.look, api, target.identity)
    if target.needs_database:
        databases = asyncio.to_thread(database.owner_and_role, target.identity)
        _, facts, (owner, role_exists) = await asyncio.gather(rendered, seen, databases)
    else:
        (_, facts), owner, role_exists = await asyncio.gather(rendered, seen), None, False
    if complaint := foreign(
        target.identity, facts, DatabaseFacts(owner, role_exists, facts.ledger), target.needs_database
    ):
        raise OwnershipError(complaint)


def _endpoints(target: Target, environ: Mapping[str, str]) -> list[Endpoint]:
    wanted = [
        registry_endpoint(target.registry),
        builder_endpoint(target.builder, environ),
        database_endpoint(environ) if target.needs_database else None,
        aws_endpoint(environ) if target.needs_secrets else None,
    ]
    return [endpoint for endpoint in wanted if endpoint is not None]


def foreign(
    identity: Identity, namespace: cluster.NamespaceFacts, databases: DatabaseFacts, needs_database: bool
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
