"""What the kubeconfig's user must be allowed to do, and why: the one place where it is written down. Pure.

The program's part goes through Pulumi's Kubernetes provider, which reads before it writes, writes by server-side apply
(`patch`) and watches what it waits for. Helm keeps a release as Secrets and replaces hooks.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from deploytag.ownership import SYSTEM_NAMESPACE


class Where(StrEnum):
    """Where something must be allowed."""

    CLUSTER = "cluster"
    """The resource belongs to no namespace."""
    SYSTEM = "system"
    """In `deploytag-system`."""
    ENVIRONMENTS = "environments"
    """In every namespace: environments make theirs, so their names are not known before."""


@dataclass(frozen=True, slots=True)
class Permission:
    """Verbs on one resource, and what needs them."""

    group: str
    """The API group; empty for the core group."""
    resource: str
    """In the plural, with its subresource: `pods/log`."""
    verbs: tuple[str, ...]
    where: Where
    reason: str
    needed: bool = True
    """False: without it a run works, and says less when something is wrong."""


READ = ("get", "list", "watch")
MANAGE = (*READ, "create", "patch", "delete")

_NETWORK, _LEASES, _DISCOVERY = "networking.k8s.io", "coordination.k8s.io", "discovery.k8s.io"

PERMISSIONS = (
    Permission("", "namespaces", MANAGE, Where.CLUSTER, "each environment has a namespace of its own"),
    Permission("", "persistentvolumes", ("list",), Where.CLUSTER, "to see that no volume is left behind", needed=False),
    Permission(
        "apiregistration.k8s.io",
        "apiservices",
        ("list",),
        Where.CLUSTER,
        "to name what keeps a namespace from going",
        needed=False,
    ),
    Permission("", "configmaps", (*MANAGE, "update"), Where.SYSTEM, "the ledger of databases, records and tombstones"),
    Permission(
        _LEASES, "leases", ("get", "list", "create", "update", "delete"), Where.SYSTEM, "one run an environment"
    ),
    Permission("", "serviceaccounts", MANAGE, Where.ENVIRONMENTS, "the account its pods run as"),
    Permission("", "resourcequotas", MANAGE, Where.ENVIRONMENTS, "the most an environment may take"),
    Permission("", "limitranges", MANAGE, Where.ENVIRONMENTS, "limits of containers that name none"),
    Permission(_NETWORK, "networkpolicies", MANAGE, Where.ENVIRONMENTS, "nothing goes in or out but what is allowed"),
    Permission("", "secrets", (*MANAGE, "update"), Where.ENVIRONMENTS, "the pods' variables, and Helm's releases"),
    Permission("", "services", MANAGE, Where.ENVIRONMENTS, "the chart's; the one that has the URL"),
    Permission("", "configmaps", MANAGE, Where.ENVIRONMENTS, "the chart's"),
    Permission("", "persistentvolumeclaims", MANAGE, Where.ENVIRONMENTS, "the chart's"),
    Permission("apps", "deployments", MANAGE, Where.ENVIRONMENTS, "the chart's"),
    Permission("apps", "statefulsets", MANAGE, Where.ENVIRONMENTS, "the chart's"),
    Permission("batch", "jobs", MANAGE, Where.ENVIRONMENTS, "the chart's hooks: migrations"),
    Permission("batch", "cronjobs", MANAGE, Where.ENVIRONMENTS, "the chart's"),
    Permission("apps", "replicasets", READ, Where.ENVIRONMENTS, "to tell new pods from old ones"),
    Permission("", "pods", READ, Where.ENVIRONMENTS, "to see why one does not start"),
    Permission("", "pods/log", ("get",), Where.ENVIRONMENTS, "the last lines of one that failed"),
    Permission("", "events", READ, Where.ENVIRONMENTS, "what the cluster says of a pod"),
    Permission(_DISCOVERY, "endpointslices", READ, Where.ENVIRONMENTS, "to see which pods the URL leads to"),
)


@dataclass(frozen=True, slots=True)
class Question:
    """One question to the cluster: may I do this there?"""

    group: str
    resource: str
    subresource: str
    verb: str
    namespace: str
    """Empty: everywhere."""
    permission: Permission

    @property
    def said(self) -> str:
        """`delete jobs.batch in every namespace`."""
        name = self.permission.resource + (f".{self.group}" if self.group else "")
        place = {Where.CLUSTER: "", Where.SYSTEM: f" in {SYSTEM_NAMESPACE}", Where.ENVIRONMENTS: " in every namespace"}
        return f"{self.verb} {name}{place[self.permission.where]}"


def questions() -> Iterator[Question]:
    """Every (verb, resource, place) of the table."""
    for permission in PERMISSIONS:
        resource, _, subresource = permission.resource.partition("/")
        namespace = SYSTEM_NAMESPACE if permission.where is Where.SYSTEM else ""
        for verb in permission.verbs:
            yield Question(permission.group, resource, subresource, verb, namespace, permission)
