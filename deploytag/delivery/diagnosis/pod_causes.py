"""What keeps one pod from serving. Pure; `causes.py` decides which pods count."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from deploytag.delivery.diagnosis.cause import Cause, CauseKind, Suspicion
from deploytag.delivery.diagnosis.objects import ContainerStatus, Event, Pod, Terminated, Waiting

SOON = timedelta(seconds=10)
"""For what is usually mended at once or never."""
LATER = timedelta(seconds=20)
"""For what a busy node, registry or volume controller may mend."""
JUST_NOW = timedelta(seconds=60)

_BAD_NAMES = frozenset({"InvalidImageName", "ErrImageNeverPull"})
_NOT_PULLED = frozenset({"ErrImagePull", "ImagePullBackOff", "ImageInspectError"})
_NOT_CREATED = frozenset({"CreateContainerConfigError", "CreateContainerError"})
_DEFINITE = re.compile(
    r"not ?found|manifest unknown|denied|unauthorized|forbidden|insufficient_scope|no match for platform"
    r"|\b(?:401|403)\b",  # and not within a digest, or an account's number in the image's name
    re.I,
)
_PROBE_KILL = re.compile(r"failed (startup|liveness) probe")
_READINESS = ("Readiness probe failed", "Readiness probe errored")
_AUTOSCALER_HELPS = frozenset({"TriggeredScaleUp", "Nominated"})
_AUTOSCALER_CANNOT = "NotTriggerScaleUp"
_CANNOT_START = frozenset({"StartError", "ContainerCannotRun"})


def suspicions(pod: Pod, events: tuple[Event, ...], now: datetime, *, crowded: bool) -> Iterator[Suspicion]:
    """Everything that may keep `pod` from serving. `events` are its own; `crowded`: other pods are just ending."""
    case = _Case(pod, events, now)
    yield from case.unschedulable(crowded=crowded)
    yield from case.not_mounted()
    for status in pod.status.init_container_statuses:
        yield from case.container(status, init=True)
    for status in pod.status.container_statuses:
        yield from case.container(status, init=False)


def failed_container(pod: Pod) -> tuple[str | None, int | None]:
    """The first container of a pod that ended with an error, and its exit code."""
    for status in (*pod.status.init_container_statuses, *pod.status.container_statuses):
        ended = status.state.terminated
        if ended is not None and ended.exit_code:
            return status.name, ended.exit_code
    return None, None


@dataclass(frozen=True, slots=True)
class _Case:
    """One pod, with what happened to it."""

    pod: Pod
    events: tuple[Event, ...]
    now: datetime

    def unschedulable(self, *, crowded: bool) -> Iterator[Suspicion]:
        condition = self.pod.condition("PodScheduled")
        if condition is None or condition.status != "False" or condition.reason != "Unschedulable":
            return
        if any(event.reason in _AUTOSCALER_HELPS for event in self.events):
            return
        since = condition.last_transition_time or self.pod.metadata.creation_timestamp
        # A volume takes a while to be made, and a pod that ends to give back what it had. An autoscaler, if there is
        # one, looks every ten seconds, and says then whether it helps.
        settled = any(event.reason == _AUTOSCALER_CANNOT for event in self.events)
        slow = crowded or "PersistentVolumeClaim" in condition.message or not settled
        yield self._suspicion(
            CauseKind.UNSCHEDULABLE,
            f"No node can run pod {self.pod.name}.",
            since,
            LATER if slow else SOON,
            event=condition.message,
            hint="Lower what its containers request, or give the cluster the node, label or volume that is missing.",
        )

    def not_mounted(self) -> Iterator[Suspicion]:
        ready_to_start = self.pod.condition("PodReadyToStartContainers")
        troubles = self._of("FailedMount", "FailedCreatePodSandBox")
        if not troubles or self.pod.status.phase != "Pending" or (ready_to_start and ready_to_start.true):
            return
        latest = max(troubles, key=lambda event: event.last)
        # Images are pulled after the volumes are there, and a container says "creating" all the while.
        if any(event.last >= latest.last for event in self._of("Pulling", "Pulled", "Created", "Started")):
            return
        yield self._suspicion(
            CauseKind.MOUNT,
            f"Pod {self.pod.name} cannot be set up on its node.",
            min(event.first for event in troubles),
            LATER,
            event=latest.message,
            hint="A Secret, ConfigMap or volume that the chart names must exist in the namespace.",
        )

    def container(self, status: ContainerStatus, *, init: bool) -> Iterator[Suspicion]:
        waiting = status.state.waiting or Waiting()
        if waiting.reason in _BAD_NAMES | _NOT_PULLED:
            yield self._image(status, waiting)
        elif waiting.reason in _NOT_CREATED:
            yield self._not_created(status, waiting)
        else:
            yield from self._exits(status, waiting, init=init)
            yield from self._killed_by_probe(status)
            yield from self._never_ready(status)

    def _image(self, status: ContainerStatus, waiting: Waiting) -> Suspicion:
        trouble = self._of("Failed", "InspectFailed", container=status.name)
        since = min((event.first for event in trouble), default=self._begun)
        # "Back-off pulling" alone says nothing of why; the event of the attempt does.
        reasons = [event.message for event in trouble if "pull image" in event.message or "image tag" in event.message]
        message = next(iter(reasons), waiting.message)
        final = waiting.reason in _BAD_NAMES or _DEFINITE.search(message)
        return self._suspicion(
            CauseKind.IMAGE,
            f"The image {self._image_of(status)} of container {status.name} in pod {self.pod.name} cannot be had "
            f"({waiting.reason}).",
            since,
            timedelta() if final else LATER,
            container=status.name,
            event=message,
            hint="Correct the image's name in the chart or its values; the cluster must be able to pull it.",
        )

    def _not_created(self, status: ContainerStatus, waiting: Waiting) -> Suspicion:
        since = min((event.first for event in self._of("Failed", container=status.name)), default=self._begun)
        return self._suspicion(
            CauseKind.CONFIG,
            f"Container {status.name} of pod {self.pod.name} cannot be created ({waiting.reason}).",
            since,
            SOON,
            container=status.name,
            event=waiting.message,
            hint="The message names what the chart refers to and the namespace does not have, or what it may not do.",
        )

    def _exits(self, status: ContainerStatus, waiting: Waiting, *, init: bool) -> Iterator[Suspicion]:
        ended = status.state.terminated or status.last_state.terminated
        down = status.state.terminated is not None or waiting.reason in {"CrashLoopBackOff", "RunContainerError"}
        if ended is None or not down or self._is_of_a_job or (init and not ended.exit_code):
            return
        delays = [it for it in self._of("BackOff", container=status.name) if "restarting" in it.message]
        # The status may say for ten seconds that it ended before it says that it is not restarted yet.
        delayed = waiting.reason == "CrashLoopBackOff" or any(
            ended.finished_at and event.last >= ended.finished_at for event in delays
        )
        # The second start is for a program that only found another one not up yet. Who lived for long, or cannot even
        # be started, is not that, and its next end may be far away.
        hopeless = delayed and (ended.reason in _CANNOT_START or _lifetime(ended) >= SOON)
        if status.restart_count < 2 and not hopeless:
            return
        since = min((event.first for event in delays), default=ended.finished_at or self._begun)
        why = "out of memory (OOMKilled)" if ended.reason == "OOMKilled" else f"exit code {ended.exit_code}"
        starting = ended.reason in _CANNOT_START
        yield self._suspicion(
            CauseKind.CRASH,
            f"Container {status.name} of pod {self.pod.name} "
            + ("cannot be started" if starting else f"ends again and again: {why}, {status.restart_count} restarts")
            + ".",
            since,
            timedelta(),
            container=status.name,
            event=ended.message if starting else next((event.message for event in delays), None),
            previous=status.state.terminated is None and not starting,
            hint="Its last lines say why." if not starting else "The image must contain the command of the chart.",
        )

    def _killed_by_probe(self, status: ContainerStatus) -> Iterator[Suspicion]:
        if self._is_of_a_job:
            return
        for event in self._of("Killing", container=status.name):
            found = _PROBE_KILL.search(event.message)
            # A container that recovered long ago is not judged by an event that is still kept.
            if not found or (status.ready and self.now - event.last > JUST_NOW):
                continue
            probe = found[1].capitalize()
            said = [it.message for it in self._of("Unhealthy", container=status.name) if it.message.startswith(probe)]
            yield self._suspicion(
                CauseKind.PROBE_KILLS,
                f"Container {status.name} of pod {self.pod.name} is killed because its {found[1]} probe fails.",
                event.first,
                timedelta(),
                container=status.name,
                event=next(iter(said), event.message),
                previous=status.restart_count > 0,
                hint="Correct what the probe asks, or give a program that starts slowly a startup probe that allows "
                "for it (periodSeconds times failureThreshold).",
            )

    def _never_ready(self, status: ContainerStatus) -> Iterator[Suspicion]:
        spec = next((it for it in self.pod.spec.containers if it.name == status.name), None)
        running = status.state.running
        if spec is None or spec.readiness_probe is None or running is None or status.ready or not status.started:
            return
        begun = running.started_at or self._begun
        failures = [
            event
            for event in self._of("Unhealthy", container=status.name)
            if event.message.startswith(_READINESS) and event.last >= begun
        ]
        if not failures:
            return
        turned = self.pod.condition("ContainersReady")
        since = max(
            min(event.first for event in failures),
            begun,
            (turned.last_transition_time if turned else None) or begun,
        )
        # The first failure is not the end: the chart's author says how many in a row are. Beyond that, LATER is for
        # whoever wrote down no more than the defaults.
        probe = spec.readiness_probe
        patience = timedelta(seconds=probe.period_seconds * (probe.failure_threshold - 1))
        yield self._suspicion(
            CauseKind.NEVER_READY,
            f"The readiness probe of container {status.name} in pod {self.pod.name} does not succeed.",
            since,
            max(patience, LATER),
            container=status.name,
            event=max(failures, key=lambda event: event.last).message,
            hint="Correct what the probe asks or what the program answers. A program that starts slowly needs a "
            "startup probe, which is waited for as long as it says.",
        )

    # --- helpers ------------------------------------------------------------------------------------------------------

    @property
    def _begun(self) -> datetime:
        return self.pod.metadata.creation_timestamp

    @property
    def _is_of_a_job(self) -> bool:
        """A Job says itself how often its pods may fail (`backoffLimit`), and fails when they did."""
        owner = self.pod.metadata.controller
        return owner is not None and owner.kind == "Job"

    def _of(self, *reasons: str, container: str | None = None) -> list[Event]:
        """Its events of these reasons; those of one container only, if it is given (`spec.containers{web}`)."""
        path = "" if container is None else f"{{{container}}}"
        return [it for it in self.events if it.reason in reasons and it.involved_object.field_path.endswith(path)]

    def _image_of(self, status: ContainerStatus) -> str:
        specs = (*self.pod.spec.init_containers, *self.pod.spec.containers)
        return next((it.image for it in specs if it.name == status.name and it.image), status.image)

    def _suspicion(
        self,
        kind: CauseKind,
        what: str,
        since: datetime,
        patience: timedelta,
        *,
        hint: str,
        event: str | None = None,
        container: str | None = None,
        previous: bool = False,
    ) -> Suspicion:
        cause = Cause(
            kind=kind,
            what=what,
            object=f"pod/{self.pod.name}",
            pod=self.pod.name,
            container=container,
            since=since,
            event=event,
            previous=previous,
            hint=hint,
        )
        return Suspicion(cause, since + patience)


def _lifetime(ended: Terminated) -> timedelta:
    if ended.started_at is None or ended.finished_at is None:
        return timedelta()
    return ended.finished_at - ended.started_at
