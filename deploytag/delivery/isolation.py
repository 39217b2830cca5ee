"""What keeps an environment apart from everything else, as the cluster has it at this moment."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import psycopg
from pydantic import BaseModel, ConfigDict

from deploytag.administrator import Administrator
from deploytag.api import LIMIT_RANGES, NAMESPACES, NETWORK_POLICIES, PODS, RESOURCE_QUOTAS, SERVICE_ACCOUNTS
from deploytag.contract import SERVICE_ACCOUNT
from deploytag.delivery.cluster import Cluster
from deploytag.delivery.diagnosis.listing import listed
from deploytag.delivery.diagnosis.objects import KubernetesObject
from deploytag.delivery.inventory.databases import connected
from deploytag.delivery.inventory.things import RoleLimits
from deploytag.identity import Identity
from deploytag.ownership import ALLOWS
from deploytag.preflight.database import refused
from deploytag.preflight.pods import token_volumes

ENFORCED = "pod-security.kubernetes.io/enforce"


class Space(KubernetesObject):
    """A namespace."""


class QuotaStatus(BaseModel):
    """What of a quota is taken."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    hard: dict[str, str] = {}
    used: dict[str, str] = {}


class Quota(KubernetesObject):
    """A resource quota."""

    status: QuotaStatus = QuotaStatus()


class Range(BaseModel):
    """What a limit range gives to one kind of thing."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: str
    default: dict[str, str] = {}


class RangeSpec(BaseModel):
    """What a limit range says."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    limits: tuple[Range, ...] = ()


class LimitRange(KubernetesObject):
    """Limits of what names none."""

    spec: RangeSpec = RangeSpec()


class ServiceAccount(KubernetesObject):
    """An account that pods run as."""

    automount_service_account_token: bool = True


class Pod(KubernetesObject):
    """A pod, with everything that it mounts."""

    spec: Mapping[str, Any] = {}


class Policy(KubernetesObject):
    """A network policy."""


@dataclass(frozen=True, slots=True)
class Facts:
    """The objects of an environment's namespace, the namespace among them, and what the database's server says."""

    spaces: Sequence[Space] = ()
    quotas: Sequence[Quota] = ()
    ranges: Sequence[LimitRange] = ()
    policies: Sequence[Policy] = ()
    accounts: Sequence[ServiceAccount] = ()
    pods: Sequence[Pod] = ()
    database: RoleLimits | None = None


@dataclass(frozen=True, slots=True)
class Limit:
    """One thing of which the environment may have so much."""

    used: str
    most: str


@dataclass(frozen=True, slots=True)
class Isolation:
    """What is in force in one namespace. The names are part of `--json` and stay as they are."""

    pod_security: str | None
    """The Pod Security Standard its pods must meet; None: none."""
    limits: Mapping[str, Limit]
    """By the name that the quota has for it."""
    containers: Mapping[str, str]
    """Limits of a container that names none."""
    network: Mapping[str, str]
    """What each network policy allows, by its name; empty: everything may be reached."""
    token: bool
    """Whether pods get a token for the cluster's API: the environment's account gives one, or a pod has one anyway."""
    database: RoleLimits | None
    """What its database role may take; None: it has none, or no server is named."""


def look(cluster: Cluster, identity: Identity, administrator: Administrator | None) -> Isolation:
    """What is in force for the environment.

    Raises:
        UnreachableError: the cluster or the database server does not say.
    """
    namespace = identity.namespace
    with ThreadPoolExecutor(7) as threads:
        spaces = threads.submit(listed, cluster, Space, NAMESPACES, fields=f"metadata.name={namespace}")
        quotas = threads.submit(listed, cluster, Quota, RESOURCE_QUOTAS, namespace)
        ranges = threads.submit(listed, cluster, LimitRange, LIMIT_RANGES, namespace)
        policies = threads.submit(listed, cluster, Policy, NETWORK_POLICIES, namespace)
        accounts = threads.submit(listed, cluster, ServiceAccount, SERVICE_ACCOUNTS, namespace)
        pods = threads.submit(listed, cluster, Pod, PODS, namespace)
        database = threads.submit(_limits, administrator, identity.role) if administrator else None
        return in_force(
            Facts(
                spaces=spaces.result(),
                quotas=quotas.result(),
                ranges=ranges.result(),
                policies=policies.result(),
                accounts=accounts.result(),
                pods=pods.result(),
                database=database.result() if database else None,
            )
        )


def _limits(administrator: Administrator, role: str) -> RoleLimits | None:
    try:
        with connected(administrator) as server:
            return server.limits_of(role)
    except psycopg.Error as error:
        raise refused(administrator, error) from None


def in_force(facts: Facts) -> Isolation:
    """What all of them say together. Pure."""
    labels = facts.spaces[0].metadata.labels if facts.spaces else {}
    return Isolation(
        pod_security=labels.get(ENFORCED),
        limits={
            name: Limit(used=quota.status.used.get(name, "0"), most=most)
            for quota in facts.quotas
            for name, most in sorted(quota.status.hard.items())
        },
        containers={
            name: most
            for it in facts.ranges
            for each in it.spec.limits
            if each.type == "Container"
            for name, most in sorted(each.default.items())
        },
        network={
            policy.name: policy.metadata.annotations.get(ALLOWS, "what its own text says")
            for policy in sorted(facts.policies, key=lambda it: it.name)
        },
        token=all(it.automount_service_account_token for it in facts.accounts if it.name == SERVICE_ACCOUNT)
        # Not all run as that account, and a pod may ask for a token itself: what they have is in their volumes.
        or any(token_volumes(it.spec) for it in facts.pods),
        database=facts.database,
    )


def lines(isolation: Isolation) -> list[str]:
    """For a person. Pure."""
    limits = ", ".join(f"{name} {it.used} of {it.most}" for name, it in isolation.limits.items())
    containers = ", ".join(f"{name} {most}" for name, most in isolation.containers.items())
    network = [f"{name}: {allows}" for name, allows in isolation.network.items()]
    return [
        f"pod security: {isolation.pod_security or 'not enforced'}",
        f"quota: {limits or 'none'}",
        f"containers that name no limits: {containers or 'none'}",
        *(f"network: {line}" for line in network or ["open, there is no network policy"]),
        f"service account: {'pods may get' if isolation.token else 'without'} a token",
        f"database: {_said(isolation.database)}",
    ]


def _said(limits: RoleLimits | None) -> str:
    if limits is None:
        return "none"
    connections = limits.connections if limits.connections >= 0 else "any number of"
    timeout = limits.statement_timeout
    time = "any time" if timeout == "0" else f"{timeout} ms" if timeout.isdecimal() else timeout
    return f"{connections} connections, {time} for a statement"
