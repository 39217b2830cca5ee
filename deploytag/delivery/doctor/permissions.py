"""What the wrapper must be allowed to do, and why: the one place where it is written down. Pure.

`rights.py` makes of it what an administrator applies; `authority.py` asks the cluster about it. The program's part goes
through Pulumi's Kubernetes provider, which reads before it writes, writes by server-side apply (`patch`) and watches
what it waits for. Helm keeps a release as Secrets and replaces hooks.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from deploytag.ownership import SYSTEM_NAMESPACE
from deploytag.rights import API_GROUP, BINDING, ENVIRONMENT_ROLE, project_rights


class Where(StrEnum):
    """Where something must be allowed."""

    CLUSTER = "cluster"
    """The resource belongs to no namespace, or to one that is yet to be made. An admission policy fences it."""
    SYSTEM = "system"
    """In `deploytag-system`."""
    ENVIRONMENTS = "environments"
    """In the namespaces of the project's environments, by the RoleBinding that each of them has."""
    OVERVIEW = "overview"
    """Everywhere, to be listed: a run works without."""


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
    """False: without it a run works, and says or does less."""
    names: tuple[str, ...] = ()
    """The only objects it is about; none: all."""


READ = ("get", "list", "watch")
MANAGE = (*READ, "create", "patch", "delete")

_NETWORK, _LEASES, _DISCOVERY = "networking.k8s.io", "coordination.k8s.io", "discovery.k8s.io"
_IMAGES = "`gc`: an image that anybody runs is kept; without it no image is deleted"

PERMISSIONS = (
    Permission("", "namespaces", MANAGE, Where.CLUSTER, "each environment has a namespace of its own"),
    Permission(API_GROUP, "rolebindings", ("create",), Where.CLUSTER, "its own rights in a new namespace"),
    Permission(
        API_GROUP,
        "rolebindings",
        ("get", "patch", "delete"),
        Where.CLUSTER,
        "the same, made anew or taken back",
        names=(BINDING,),
    ),
    Permission(
        API_GROUP, "clusterroles", ("bind", "get"), Where.CLUSTER, "the same, and to see it", names=(ENVIRONMENT_ROLE,)
    ),
    Permission(
        "",
        "persistentvolumes",
        (*READ, "patch", "delete"),
        Where.CLUSTER,
        "to see that no volume of an environment is left behind",
        needed=False,
    ),
    Permission("", "configmaps", (*MANAGE, "update"), Where.SYSTEM, "the ledger of databases, records and tombstones"),
    Permission(
        _LEASES, "leases", (*READ, "create", "update", "delete"), Where.SYSTEM, "one run at a time on an environment"
    ),
    Permission("", "serviceaccounts", MANAGE, Where.ENVIRONMENTS, "the account its pods run as"),
    Permission("", "resourcequotas", MANAGE, Where.ENVIRONMENTS, "the most an environment may take"),
    Permission("", "limitranges", MANAGE, Where.ENVIRONMENTS, "limits of containers that name none"),
    Permission(_NETWORK, "networkpolicies", MANAGE, Where.ENVIRONMENTS, "nothing goes in or out but what is allowed"),
    Permission("", "secrets", (*MANAGE, "update"), Where.ENVIRONMENTS, "the pods' variables, and Helm's releases"),
    Permission("", "services", MANAGE, Where.ENVIRONMENTS, "the chart's; the one that has the URL"),
    Permission(_NETWORK, "ingresses", MANAGE, Where.ENVIRONMENTS, "the chart's; the one that has the URL"),
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
    Permission("", "endpoints", READ, Where.ENVIRONMENTS, "the same, as Pulumi's provider asks for it"),
    Permission("", "pods", ("list",), Where.OVERVIEW, _IMAGES, needed=False),
    Permission("apps", "daemonsets", ("list",), Where.OVERVIEW, _IMAGES, needed=False),
    Permission("apps", "deployments", ("list",), Where.OVERVIEW, _IMAGES, needed=False),
    Permission("apps", "replicasets", ("list",), Where.OVERVIEW, _IMAGES, needed=False),
    Permission("apps", "statefulsets", ("list",), Where.OVERVIEW, _IMAGES, needed=False),
    Permission("batch", "jobs", ("list",), Where.OVERVIEW, _IMAGES, needed=False),
    Permission("batch", "cronjobs", ("list",), Where.OVERVIEW, _IMAGES, needed=False),
    Permission("", "services", ("list",), Where.OVERVIEW, "`ls`: one question for the addresses of all", needed=False),
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
    name: str
    """Empty: any object."""
    permission: Permission

    @property
    def said(self) -> str:
        """`delete jobs.batch in the environments`."""
        name = self.permission.resource + (f".{self.group}" if self.group else "")
        place = {
            Where.CLUSTER: "",
            Where.SYSTEM: f" in {SYSTEM_NAMESPACE}",
            Where.ENVIRONMENTS: " in the environments",
            Where.OVERVIEW: " in every namespace",
        }
        return f"{self.verb} {name}{place[self.permission.where]}"


def questions() -> Iterator[Question]:
    """Every (verb, resource, place) that can be asked about before there is an environment.

    What is needed inside of environments can not: whoever may bind the ClusterRole gets it there.
    """
    for permission in PERMISSIONS:
        if permission.where is Where.ENVIRONMENTS:
            continue
        resource, _, subresource = permission.resource.partition("/")
        namespace = SYSTEM_NAMESPACE if permission.where is Where.SYSTEM else ""
        for verb in permission.verbs:
            for name in permission.names or ("",):
                yield Question(permission.group, resource, subresource, verb, namespace, name, permission)


def questions_inside() -> Iterator[Question]:
    """Every (verb, resource) that is needed inside of environments, asked about everywhere.

    For clusters whose administrator gives rights in another way.
    """
    for permission in PERMISSIONS:
        if permission.where is Where.ENVIRONMENTS:
            resource, _, subresource = permission.resource.partition("/")
            for verb in permission.verbs:
                yield Question(permission.group, resource, subresource, verb, "", "", permission)


def rules(where: Where) -> list[dict[str, list[str]]]:
    """The table's rows for one place, as rules of a Role or ClusterRole."""
    return [
        {"apiGroups": [it.group], "resources": [it.resource], "verbs": list(it.verbs)}
        | ({"resourceNames": list(it.names)} if it.names else {})
        for it in PERMISSIONS
        if it.where is where
    ]


def project_rules(project: str) -> list[dict[str, list[str]]]:
    """What is allowed in `deploytag-system` to those who deploy `project`."""
    return [
        *rules(Where.SYSTEM),
        # The program reads there whom to bind.
        {
            "apiGroups": [API_GROUP],
            "resources": ["rolebindings"],
            "verbs": ["get"],
            "resourceNames": [project_rights(project)],
        },
        # No such resource exists: the admission policies ask RBAC whether somebody may deploy the project.
        {"apiGroups": ["deploytag.dev"], "resources": ["projects"], "verbs": ["deploy"], "resourceNames": [project]},
    ]
