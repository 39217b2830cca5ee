"""Whether the pods of a rendered chart would be more than pods of their environment. Pure.

Looked at is every template of pods, whatever the kind of the object that has it.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from deploytag.preflight.rendered import Document, entries, kind_of, name_of, one, several

_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")
_PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
_HOOKS = ("postStart", "preStop")
_ASKING = ("httpGet", "tcpSocket")
"""What of a probe or hook names a host; gRPC and programs do not."""

_SYSTEM = "system-"
"""How the names of Kubernetes' own priority classes begin: for them it ends pods of others."""

_LEAVE_OUT = "by the chart's values if it is a subchart's"


def unfit_pods(found: Iterable[Document]) -> Iterator[str]:
    """What of the objects' pods reaches beyond the environment, as the middle of a sentence."""
    for it in found:
        for spec in _pod_specs(it):
            for complaint in _complaints(spec):
                yield f"its {kind_of(it)} {name_of(it)} has {complaint}"


def _pod_specs(it: Document) -> Iterator[Document]:
    """The object's own if it is a pod, and that of every template in it."""
    if kind_of(it) == "Pod":
        yield one(it, "spec")
    for value in it.values():
        yield from _of_templates(value)


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
            f"`priorityClassName` out, {_LEAVE_OUT}"
        )
    for container in (it for key in _CONTAINERS for it in entries(spec, key)):
        for what, host in _asked(container):
            yield (
                f"a container {container.get('name')} whose {what} asks the host {host}. The node asks, to which no "
                f"network policy of the environment applies: leave `host` out, {_LEAVE_OUT}, and the pod is asked"
            )


def _asked(container: Document) -> Iterator[tuple[str, Any]]:
    """Probes and hooks of a container that ask another host than its pod."""
    lifecycle = one(container, "lifecycle")
    actions = [(key, one(container, key)) for key in _PROBES] + [(key, one(lifecycle, key)) for key in _HOOKS]
    for key, action in actions:
        for how in _ASKING:
            if host := one(action, how).get("host"):
                yield key, host
