"""What keeps an environment apart from everything else, as the cluster has it at this moment."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from deploytag.api import NAMESPACES, NETWORK_POLICIES, RESOURCE_QUOTAS
from deploytag.delivery.cluster import Cluster
from deploytag.delivery.diagnosis.listing import listed
from deploytag.delivery.diagnosis.objects import KubernetesObject
from deploytag.ownership import ALLOWS

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


class Policy(KubernetesObject):
    """A network policy."""


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
    network: Mapping[str, str]
    """What each network policy allows, by its name; empty: everything may be reached."""


def look(cluster: Cluster, namespace: str) -> Isolation:
    """What is in force in `namespace`.

    Raises:
        UnreachableError: the cluster does not say.
    """
    with ThreadPoolExecutor(3) as threads:
        spaces = threads.submit(listed, cluster, Space, NAMESPACES, fields=f"metadata.name={namespace}")
        quotas = threads.submit(listed, cluster, Quota, RESOURCE_QUOTAS, namespace)
        policies = threads.submit(listed, cluster, Policy, NETWORK_POLICIES, namespace)
        return in_force(spaces.result(), quotas.result(), policies.result())


def in_force(spaces: Sequence[Space], quotas: Sequence[Quota], policies: Sequence[Policy]) -> Isolation:
    """What the objects of a namespace say together. Pure."""
    labels = spaces[0].metadata.labels if spaces else {}
    return Isolation(
        pod_security=labels.get(ENFORCED),
        limits={
            name: Limit(used=quota.status.used.get(name, "0"), most=most)
            for quota in quotas
            for name, most in sorted(quota.status.hard.items())
        },
        network={
            policy.name: policy.metadata.annotations.get(ALLOWS, "what its own text says")
            for policy in sorted(policies, key=lambda it: it.name)
        },
    )


def lines(isolation: Isolation) -> list[str]:
    """For a person. Pure."""
    limits = ", ".join(f"{name} {it.used} of {it.most}" for name, it in isolation.limits.items())
    network = [f"{name}: {allows}" for name, allows in isolation.network.items()]
    return [
        f"pod security: {isolation.pod_security or 'not enforced'}",
        f"quota: {limits or 'none'}",
        *(f"network: {line}" for line in network or ["open, there is no network policy"]),
    ]
