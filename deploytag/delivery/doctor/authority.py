"""What the kubeconfig's user may do in the cluster: everything a run needs, and fenced as it should be."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby

from kubernetes.client.exceptions import ApiException

from deploytag.api import CLUSTER_ROLES, NAMESPACES, ROLE_BINDINGS
from deploytag.delivery.doctor.cluster import TIMEOUT, Connection, asked
from deploytag.delivery.doctor.findings import Finding, ok, problem, warning
from deploytag.delivery.doctor.permissions import Question, questions, questions_inside
from deploytag.ownership import SYSTEM_NAMESPACE
from deploytag.preflight import rights
from deploytag.rights import API_GROUP, BINDING, ENVIRONMENT_ROLE, project_rights

AT_ONCE = 8
"""Questions under way at the same time; the client's connection pool is not larger."""

CURE = "Let an administrator apply what `deploytag rights` prints for this user: docs/how-to/existing-cluster.md."


def permissions(project: str, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Whether everything that the program and the wrapper do is allowed."""
    connection = Connection.open(environ)
    deployers = asked(connection, lambda: rights.named(connection.api, project))
    everything = [*questions(), *(() if deployers is not None else questions_inside())]
    refused = _refused(connection, everything)
    findings = list(denied(refused))
    if deployers is not None:
        findings += _inside(connection, project)
    yield from findings
    if not refused and not findings:
        yield ok(f"all {len(everything)} actions that a run needs")
    yield from _fences(connection)


def _refused(connection: Connection, everything: Sequence[Question]) -> list[Question]:
    def allowed(question: Question) -> bool:
        return _may(
            connection,
            group=question.group,
            resource=question.resource,
            subresource=question.subresource or None,
            verb=question.verb,
            namespace=question.namespace or None,
            name=question.name or None,
        )

    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(allowed, everything))
    return [question for question, answer in zip(everything, answers, strict=True) if not answer]


def _may(connection: Connection, **attributes: str | None) -> bool:
    return asked(connection, lambda: rights.may(connection.api, timeout=TIMEOUT, **attributes))


def _inside(connection: Connection, project: str) -> Iterator[Finding]:
    """What those who may deploy the project are given in each environment, and whether this user is one of them."""
    if not _may(
        connection,
        group="deploytag.dev",
        resource="projects",
        verb="deploy",
        name=project,
        namespace=SYSTEM_NAMESPACE,
    ):
        yield problem(f"may not deploy {project}: the RoleBinding {project_rights(project)} names others", CURE)
        return
    role = asked(connection, lambda: connection.api.get(CLUSTER_ROLES, ENVIRONMENT_ROLE, timeout=TIMEOUT))
    yield from denied(lacking(role.get("rules") or ()))


def lacking(given: Iterable[Mapping[str, Sequence[str]]]) -> list[Question]:
    """What a ClusterRole's rules leave out of what is needed inside of environments. Pure."""
    rules = list(given)
    return [
        question
        for question in questions_inside()
        if not any(
            {question.group, "*"} & set(rule.get("apiGroups") or ())
            and {question.permission.resource, "*"} & set(rule.get("resources") or ())
            and {question.verb, "*"} & set(rule.get("verbs") or ())
            and not rule.get("resourceNames")
            for rule in rules
        )
    ]


def denied(refused: Iterable[Question]) -> Iterator[Finding]:
    """A line for each resource with what may not be done to it. Pure."""
    for permission, those in groupby(refused, key=lambda question: question.permission):
        questions_ = list(those)
        verbs = ", ".join(question.verb for question in questions_)
        say = problem if permission.needed else warning
        yield say(f"may not {questions_[0].said.replace(questions_[0].verb, verbs, 1)} ({permission.reason})", CURE)


def _fences(connection: Connection) -> Iterator[Finding]:
    """Whether admission policies are in force where the roles alone allow too much; tried, and nothing is changed."""
    if _may(connection, group="deploytag.dev", resource="wrappers", verb="be-free"):
        yield warning("this user may do everything in the cluster", f"Deploy as one who may not. {CURE}")
        return
    api, harmless = connection.api, {"metadata": {"annotations": {"deploytag.dev/doctor": "may-i"}}}
    bound = {"kind": "ClusterRole", "name": ENVIRONMENT_ROLE, "apiGroup": API_GROUP}
    binding = {"metadata": {"name": BINDING}, "roleRef": bound, "subjects": []}
    attempts: list[tuple[str, str, Callable[[], object]]] = [
        (
            "others' namespaces",
            "deploytag-projects",
            lambda: api.would_patch(NAMESPACES, SYSTEM_NAMESPACE, harmless, timeout=TIMEOUT),
        ),
        (
            "rights in others' namespaces",
            "deploytag-role-bindings",
            lambda: api.would_create(ROLE_BINDINGS, binding, SYSTEM_NAMESPACE, timeout=TIMEOUT),
        ),
    ]
    for what, policy, attempt in attempts:
        try:
            attempt()
        except ApiException as error:
            if error.status not in (403, 422):
                yield warning(f"cannot try the admission policy {policy}: {error.status} {error.reason}", CURE)
            continue
        yield problem(f"nothing keeps this user from {what}: the admission policy {policy} does not hold", CURE)
