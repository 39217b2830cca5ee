"""Whether the pods of a rendered chart would be more than pods of their environment. Pure.

Looked at is every template of pods, whatever the kind of the object that has it.
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Any

from deploytag.contract import SERVICE_ACCOUNT
from deploytag.preflight.rendered import Document, entries, kind_of, name_of, one, several

_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")
_PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
_HOOKS = ("postStart", "preStop")
_ASKING = ("httpGet", "tcpSocket")
"""What of a probe or hook names a host; gRPC and programs do not."""

_SYSTEM = "system-"
"""How the names of Kubernetes' own priority classes begin: for them it ends pods of others."""

_AUTOMATIC = "automountServiceAccountToken"
_TOKEN_SECRET = "kubernetes.io/service-account-token"  # noqa: S105 - a type
_NO_TOKENS = "a token for the cluster's API, which pods of an environment do without"

_VALUES = "by the chart's values if it is a subchart's"


def unfit_pods(found: Sequence[Document]) -> Iterator[str]:
    """What of the objects' pods reaches beyond the environment, as the middle of a sentence."""
    tokenless = _accounts_without_token(found)
    for it in found:
        if kind_of(it) == "Secret" and it.get("type") == _TOKEN_SECRET:
            yield f"its Secret {name_of(it)} is of type {_TOKEN_SECRET}, {_NO_TOKENS}: leave it out, {_VALUES}"
        for spec in _pod_specs(it):
            for complaint in (*_complaints(spec), *_tokens(spec, tokenless)):
                yield f"its {kind_of(it)} {name_of(it)} has {complaint}"


def _accounts_without_token(found: Iterable[Document]) -> set[str]:
    """The environment's own account and the chart's, but those that any object of the name gives a token.

    A hook may put another account into the place of the environment's.
    """
    accounts = [it for it in found if kind_of(it) == "ServiceAccount"]
    given = {name_of(it) for it in accounts if it.get(_AUTOMATIC) is not False}
    return {SERVICE_ACCOUNT, *map(name_of, accounts)} - given


def _pod_specs(it: Document) -> Iterator[Document]:
    """The object's own if it is a pod, and that of every template in it."""
    return _of_templates([it] if kind_of(it) == "Pod" else list(it.values()))


def _of_templates(value: Any) -> Iterator[Document]:
    if isinstance(value, Mapping):
        if several(spec := one(value, "spec"), "containers"):
            yield spec
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _of_templates(each)


def _complaints(spec: Document) -> Iterator[str]:
    priority = str(spec.get("priorityClassName") or "")
    if priority.startswith(_SYSTEM):
        yield (
            f"pods of the priority {priority}, for which a full cluster would end pods of others: leave "
            f"`priorityClassName` out, {_VALUES}"
        )
    for container in (it for key in _CONTAINERS for it in entries(spec, key)):
        for what, host in _asked(container):
            yield (
                f"a container {container.get('name')} whose {what} asks the host {host}. The node asks, to which no "
                f"network policy of the environment applies: leave `host` out, {_VALUES}, and the pod is asked"
            )


def _tokens(spec: Document, tokenless: Container[str]) -> Iterator[str]:
    """Ways in which such pods get a token of their account."""
    account = str(spec.get("serviceAccountName") or spec.get("serviceAccount") or "default")
    automatic = spec.get(_AUTOMATIC)
    if automatic is None and account not in tokenless:
        yield (
            f"pods of the service account {account}, which gives them {_NO_TOKENS}: write `{_AUTOMATIC}: false` into "
            f"the pods' spec or that account, {_VALUES}, or run them as the environment's account, {SERVICE_ACCOUNT}"
        )
    if automatic not in (None, False):
        yield f"pods with `{_AUTOMATIC}: {str(automatic).lower()}`, {_NO_TOKENS}: write false, {_VALUES}"
    for volume in token_volumes(spec):
        yield f"pods with the volume {volume} of a serviceAccountToken, {_NO_TOKENS}: leave it out, {_VALUES}"


def token_volumes(spec: Document) -> list[str]:
    """Volumes of a pod that hold a token of its account, by their names; in a running pod also the automatic one."""
    return [
        str(volume.get("name"))
        for volume in entries(spec, "volumes")
        for source in entries(one(volume, "projected"), "sources")
        if source.get("serviceAccountToken") is not None
    ]


def _asked(container: Document) -> Iterator[tuple[str, Any]]:
    """Probes and hooks of a container that ask another host than its pod."""
    lifecycle = one(container, "lifecycle")
    actions = [(key, one(container, key)) for key in _PROBES] + [(key, one(lifecycle, key)) for key in _HOOKS]
    for key, action in actions:
        for how in _ASKING:
            if host := one(action, how).get("host"):
                yield key, host
