"""Which images something refers to: whatever may start a pod in the cluster, what is remembered, and every state."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

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
        lambda: _of_pods(_list(cluster, cluster.core.list_pod_for_all_namespaces)),
        lambda: _of_templates(_list(cluster, cluster.apps.list_replica_set_for_all_namespaces)),
        lambda: _of_templates(_list(cluster, cluster.apps.list_deployment_for_all_namespaces)),
        lambda: _of_templates(_list(cluster, cluster.apps.list_stateful_set_for_all_namespaces)),
        lambda: _of_templates(_list(cluster, cluster.apps.list_daemon_set_for_all_namespaces)),
        lambda: _of_templates(_list(cluster, cluster.batch.list_job_for_all_namespaces)),
        lambda: _of_cron_jobs(_list(cluster, cluster.batch.list_cron_job_for_all_namespaces)),
        lambda: _of_states(project, states),
    ]
    with ThreadPoolExecutor(max_workers=len(questions)) as pool:
        found = {reference for answer in pool.map(lambda question: set(question()), questions) for reference in answer}
    return found | {image for record in records if record.deployed for image in record.deployed.images}


def _of_pods(pods: Iterable[Any]) -> Iterator[str]:
    for pod in pods:
        yield from _of_spec(pod.spec)
        # The digest that a tag led to when the pod was started.
        for status in (pod.status.container_statuses or []) + (pod.status.init_container_statuses or []):
            yield status.image_id or ""


def _of_templates(owners: Iterable[Any]) -> Iterator[str]:
    for owner in owners:
        yield from _of_spec(owner.spec.template.spec)


def _of_cron_jobs(jobs: Iterable[Any]) -> Iterator[str]:
    for job in jobs:
        yield from _of_spec(job.spec.job_template.spec.template.spec)


def _of_spec(spec: Any) -> Iterator[str]:
    for container in (spec.containers or []) + (spec.init_containers or []) + (spec.ephemeral_containers or []):
        yield container.image or ""


def _of_states(project: str, states: States | None) -> Iterator[str]:
    for stack in states.stacks(project) if states else []:
        yield from checkpoint.images(states.checkpoint(project, stack) or {} if states else {})


def _list(cluster: Cluster, question: Callable[..., Any]) -> list[Any]:
    with asking(cluster, "looking which images are in use", "list what runs in the cluster", namespace=None):
        found: list[Any] = question(_request_timeout=TIMEOUT).items
    return found
