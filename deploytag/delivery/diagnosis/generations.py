"""Which pods are the newest of what made them, and which are left over from before. Pure."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from deploytag.delivery.diagnosis.objects import (
    REVISION,
    STATEFUL_SET_REVISION,
    EndpointSlice,
    Event,
    Job,
    Pod,
    Release,
    Workload,
    small_number,
)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A namespace at one moment: of each kind what is there, or nothing where nobody asked."""

    pods: tuple[Pod, ...] = ()
    events: tuple[Event, ...] = ()
    jobs: tuple[Job, ...] = ()
    replica_sets: tuple[Workload, ...] = ()
    stateful_sets: tuple[Workload, ...] = ()
    deployments: tuple[Workload, ...] = ()
    endpoint_slices: tuple[EndpointSlice, ...] = ()
    releases: tuple[Release, ...] = ()


def newest_generations(snapshot: Snapshot) -> frozenset[str]:
    """The newest ReplicaSet of each Deployment and revision of each StatefulSet, named as by `generation`."""
    families: defaultdict[str, list[Workload]] = defaultdict(list)
    for replica_set in snapshot.replica_sets:
        owner = replica_set.metadata.controller
        families[owner.uid if owner else replica_set.uid].append(replica_set)
    sets = {max(family, key=_age).uid for family in families.values()}
    return frozenset(sets | {f"{it.uid}/{it.status.update_revision}" for it in snapshot.stateful_sets})


def _age(replica_set: Workload) -> tuple[int, float]:
    # The controller numbers them, and a rollback gives an old one the highest number again.
    number = small_number(replica_set.metadata.annotations.get(REVISION, ""))
    return number, replica_set.metadata.creation_timestamp.timestamp()


def generation(pod: Pod) -> str | None:
    """Which ReplicaSet, or which revision of a StatefulSet, a pod belongs to; None: neither made it."""
    owner = pod.metadata.controller
    if owner is None:
        return None
    if owner.kind == "ReplicaSet":
        return owner.uid
    if owner.kind == "StatefulSet":
        return f"{owner.uid}/{pod.metadata.labels.get(STATEFUL_SET_REVISION, '')}"
    return None


def baseline(snapshot: Snapshot) -> frozenset[str]:
    """What was there when a run began: generations, and the uids of whatever else a run makes anew."""
    others: Iterable[Pod | Job | Release] = (*snapshot.pods, *snapshot.jobs, *snapshot.releases)
    return newest_generations(snapshot) | {it.uid for it in others}
