"""Which images something refers to: whatever may start a pod in the cluster, what is remembered, and every state."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from deploytag.api import (
    CRON_JOBS,
    DAEMON_SETS,
    DEPLOYMENTS,
    JOBS,
    PODS,
    REPLICA_SETS,
    STATEFUL_SETS,
    Object,
    Resource,
)
from deploytag.delivery.asking import asking
from deploytag.delivery.cluster import Cluster
from deploytag.delivery.inventory import checkpoint
from deploytag.delivery.inventory.look import States
from deploytag.delivery.record import Record

TIMEOUT = 30
"""Seconds one question may take."""


def references(project: str, cluster: Cluster, states: States | None, records: Iterable[Record]) -> set[str]:
    """References of images in use, with a digest or a tag.

    Of the whole cluster: somebody may run an image of the project outside of its environments.

    Raises:
        UnreachableError: not everybody could be asked, so nobody knows.
        DeploymentError: a state cannot be read.
    """
    questions: list[Callable[[], Iterable[str]]] = [
        lambda: _of_pods(_list(cluster, PODS)),
        lambda: _of_templates(_list(cluster, REPLICA_SETS)),
        lambda: _of_templates(_list(cluster, DEPLOYMENTS)),
        lambda: _of_templates(_list(cluster, STATEFUL_SETS)),
        lambda: _of_templates(_list(cluster, DAEMON_SETS)),
        lambda: _of_templates(_list(cluster, JOBS)),
        lambda: _of_cron_jobs(_list(cluster, CRON_JOBS)),
        lambda: _of_states(project, states),
    ]
    with ThreadPoolExecutor(max_workers=len(questions)) as pool:
        found = {reference for answer in pool.map(lambda question: set(question()), questions) for reference in answer}
    return found | {image for record in records if record.deployed for image in record.deployed.images}


def _of_pods(pods: Iterable[Object]) -> Iterator[str]:
    for pod in pods:
        yield from _of_spec(pod["spec"])
        # The digest that a tag led to when the pod was started.
        status = pod.get("status") or {}
        for it in (status.get("containerStatuses") or []) + (status.get("initContainerStatuses") or []):
            yield it.get("imageID") or ""


def _of_templates(owners: Iterable[Object]) -> Iterator[str]:
    for owner in owners:
        yield from _of_spec(owner["spec"]["template"]["spec"])


def _of_cron_jobs(jobs: Iterable[Object]) -> Iterator[str]:
    for job in jobs:
        yield from _of_spec(job["spec"]["jobTemplate"]["spec"]["template"]["spec"])


def _of_spec(spec: Object) -> Iterator[str]:
    for kind in ("containers", "initContainers", "ephemeralContainers"):
        for container in spec.get(kind) or []:
            yield container.get("image") or ""


def _of_states(project: str, states: States | None) -> Iterator[str]:
    for stack in states.stacks(project) if states else []:
        yield from checkpoint.images(states.checkpoint(project, stack) or {} if states else {})


def _list(cluster: Cluster, resource: Resource) -> Sequence[Object]:
    with asking(cluster, "looking which images are in use", "list what runs in the cluster", namespace=None):
        return cluster.api.list(resource, timeout=TIMEOUT).items
