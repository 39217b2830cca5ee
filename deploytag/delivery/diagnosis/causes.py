"""Why a deployment cannot succeed: the first fatal cause in what a namespace holds. Pure.

A cause is fatal when waiting does not mend it. What sometimes mends itself (an image registry that hiccups, a program
that ends because another one is not up yet) is given a few seconds, so that a cause is found within 30 seconds of the
first event that tells it. All times are the API server's.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from deploytag.delivery.diagnosis import pod_causes
from deploytag.delivery.diagnosis.cause import Cause, CauseKind, Suspicion
from deploytag.delivery.diagnosis.generations import Snapshot, generation, newest_generations
from deploytag.delivery.diagnosis.objects import Event, Job, KubernetesObject, Pod, Workload

__all__ = ["Cause", "CauseKind", "find"]

SETTLED = timedelta(seconds=15)
"""After Helm began and its last hook ended, it has applied the chart: that is a matter of a second or two."""
REFUSED = timedelta(seconds=10)
REFUSED_WHILE_PODS_END = timedelta(seconds=25)


def find(snapshot: Snapshot, now: datetime, before: frozenset[str] = frozenset()) -> Cause | None:
    """The first fatal cause at the server's time `now`; None: nothing says that the deployment cannot succeed.

    `before` is the `baseline` of the moment the run began. What was the newest then is not judged until Helm must have
    applied the chart, as the run is probably about to replace it: a pod that crashed yesterday must not end the run
    that mends it. Without it everything that is the newest now is judged.
    """
    scope = Scope.of(snapshot, now, before)
    certain = [it.cause for it in scope.suspicions() if it.certain <= now]
    return min(certain, key=lambda cause: cause.since, default=None)


@dataclass(frozen=True, slots=True)
class Scope:
    """What belongs to this deployment."""

    snapshot: Snapshot
    now: datetime
    generations: frozenset[str]
    hooks: tuple[Job, ...]
    pods: tuple[Pod, ...]
    settled: bool
    """Whether Helm must have applied the chart by now, so that what is the newest stays so."""
    applied: datetime | None
    """When it began to at the earliest; None: nobody watched it, or it did not begin."""

    @classmethod
    def of(cls, snapshot: Snapshot, now: datetime, before: frozenset[str]) -> "Scope":
        """Tell what the run brought, and what it left as it was, from what it is about to replace."""
        hooks = tuple(job for job in snapshot.jobs if job.hook and job.uid not in before)
        applied = _applied(snapshot, hooks, before) if before else None
        settled = not before or (applied is not None and now - applied >= SETTLED)
        generations = frozenset(it for it in newest_generations(snapshot) if settled or it not in before)
        makers = generations | {job.uid for job in hooks}
        pods = tuple(pod for pod in snapshot.pods if _judged(pod, makers, before))
        return cls(snapshot, now, generations, hooks, pods, settled, applied)

    def suspicions(self) -> Iterator[Suspicion]:
        """Everything that may be fatal, now or a little later."""
        for pod in self.pods:
            yield from pod_causes.suspicions(pod, self._events_of(pod), self.now, crowded=self._crowded)
        for job in self.hooks:
            yield from self._hook_failed(job)
            if job.ended is None and not job.status.active:
                yield from self._refused_by_events(f"job/{job.name}", self._events_of(job))
        for replica_set in self.snapshot.replica_sets:
            if replica_set.uid in self.generations:
                yield from self._refused_by_condition(replica_set)
        for stateful_set in self.snapshot.stateful_sets:
            # Its events do not say which revision they are about: only when it is settled, those since then.
            if self.settled and stateful_set.status.replicas < stateful_set.spec.replicas:
                events = (it for it in self._events_of(stateful_set) if self.applied is None or it.last >= self.applied)
                yield from self._refused_by_events(f"statefulset/{stateful_set.name}", tuple(events))

    def _events_of(self, it: KubernetesObject) -> tuple[Event, ...]:
        return tuple(event for event in self.snapshot.events if event.involved_object.uid == it.uid)

    @property
    def _crowded(self) -> bool:
        """Whether pods are ending, which will give back the room and the quota that they take."""
        return any(pod.metadata.deletion_timestamp for pod in self.snapshot.pods)

    def _hook_failed(self, job: Job) -> Iterator[Suspicion]:
        failure = job.failure
        if failure is None:
            return
        own = [pod for pod in self.snapshot.pods if (owner := pod.metadata.controller) and owner.uid == job.uid]
        pod = max(own, key=lambda pod: pod.metadata.creation_timestamp, default=None)
        container, code = pod_causes.failed_container(pod) if pod else (None, None)
        ended = f", its container {container} ended with exit code {code}" if container else ""
        since = failure.last_transition_time or self.now
        yield Suspicion(
            Cause(
                kind=CauseKind.HOOK,
                what=f"The {job.hook} hook {job.name} failed ({failure.reason}){ended}.",
                object=f"job/{job.name}",
                pod=pod.name if pod else None,
                container=container,
                since=since,
                event=failure.message or None,
                hint="Correct what its log complains of and push again.",
            ),
            since,
        )

    def _refused_by_condition(self, replica_set: Workload) -> Iterator[Suspicion]:
        condition = replica_set.condition("ReplicaFailure")
        if (
            condition is not None
            and condition.true
            and condition.reason == "FailedCreate"
            and replica_set.status.replicas < replica_set.spec.replicas
        ):
            yield self._refused(
                f"replicaset/{replica_set.name}", condition.message, condition.last_transition_time or self.now
            )

    def _refused_by_events(self, what: str, events: tuple[Event, ...]) -> Iterator[Suspicion]:
        """Of what has no condition to tell it by."""
        refusals = [event for event in events if event.reason == "FailedCreate"]
        if refusals:
            first = min(event.first for event in refusals)
            yield self._refused(
                what, max(refusals, key=lambda event: event.last).message, max(first, self.applied or first)
            )

    def _refused(self, what: str, message: str, since: datetime) -> Suspicion:
        if "violates PodSecurity" in message:
            patience, hint = timedelta(), "Give the chart's pods the security context that the message asks for."
        else:
            patience = REFUSED_WHILE_PODS_END if self._crowded else REFUSED
            hint = (
                "Lower the resources or replicas of the chart, or raise `limits` of the class in the policy. A rolling "
                "update needs room for old and new pods together."
                if "exceeded quota" in message
                else "The message says what the cluster objects to."
            )
        cause = Cause(
            kind=CauseKind.REFUSED,
            what=f"The cluster refuses the pods of {what}.",
            object=what,
            since=since,
            event=message,
            hint=hint,
        )
        return Suspicion(cause, since + patience)


def _applied(snapshot: Snapshot, hooks: tuple[Job, ...], before: frozenset[str]) -> datetime | None:
    """When the last thing happened that comes before Helm applies a chart; None: Helm did not begin, or a hook runs."""
    began = [release.metadata.creation_timestamp for release in snapshot.releases if release.uid not in before]
    running = any(job.ended is None for job in hooks) or any(
        pod.hook and pod.uid not in before and pod.status.phase in {"Pending", "Running"} for pod in snapshot.pods
    )
    if not began or running:
        return None
    # A hook that was deleted for its success is only known by its event.
    ended = [
        event.last for event in snapshot.events if (event.reason, event.involved_object.kind) == ("Completed", "Job")
    ]
    return max([*began, *ended, *(job.ended for job in hooks if job.ended)])


def _judged(pod: Pod, makers: frozenset[str], before: frozenset[str]) -> bool:
    if pod.metadata.deletion_timestamp is not None:
        return False
    owner = pod.metadata.controller
    key = generation(pod) or (owner.uid if owner and owner.kind == "Job" else None)
    return key in makers if key is not None else pod.uid not in before
