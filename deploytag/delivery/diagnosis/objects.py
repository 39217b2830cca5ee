"""The parts of Kubernetes objects that decisions look at, as the API server sends them. Pure.

Everything else is dropped where it is read: an environment variable in a pod's spec never gets any further.
"""

from datetime import datetime
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

HOOK = "helm.sh/hook"
REVISION = "deployment.kubernetes.io/revision"
STATEFUL_SET_REVISION = "controller-revision-hash"
SERVICE_NAME = "kubernetes.io/service-name"


def small_number(text: str) -> int:
    """The number that a label or an annotation holds; 0 where it holds none, or one that no controller counts to."""
    return int(text) if text.isdecimal() and len(text) < 10 else 0


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, value: Any) -> Any:
        # Go writes an empty list or time as null.
        return {key: it for key, it in value.items() if it is not None} if isinstance(value, dict) else value


class Owner(_Part):
    """Who an object was made by."""

    kind: str
    name: str
    uid: str
    controller: bool = False


class Metadata(_Part):
    """What every object has."""

    name: str
    uid: str
    namespace: str = ""
    creation_timestamp: AwareDatetime
    deletion_timestamp: AwareDatetime | None = None
    generation: int = 0
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    owner_references: tuple[Owner, ...] = ()

    @property
    def controller(self) -> Owner | None:
        """The owner that made it and will replace it."""
        return next((owner for owner in self.owner_references if owner.controller), None)


class KubernetesObject(_Part):
    """An object of any kind."""

    metadata: Metadata

    @property
    def name(self) -> str:
        """Its name in the namespace."""
        return self.metadata.name

    @property
    def uid(self) -> str:
        """What tells it from another of the same name, earlier or later."""
        return self.metadata.uid

    @property
    def hook(self) -> str | None:
        """When Helm runs it (`pre-install,pre-upgrade`); None: it is no hook."""
        return self.metadata.annotations.get(HOOK)


class Condition(_Part):
    """A controller's judgement of an object."""

    type: str
    status: str
    reason: str = ""
    message: str = ""
    last_transition_time: AwareDatetime | None = None

    @property
    def true(self) -> bool:
        """Whether it holds."""
        return self.status == "True"


# --- pods -------------------------------------------------------------------------------------------------------------


class Waiting(_Part):
    """A container that does not run yet, or not again yet."""

    reason: str = ""
    message: str = ""


class Running(_Part):
    """A container that runs."""

    started_at: AwareDatetime | None = None


class Terminated(_Part):
    """How a container ended."""

    exit_code: int
    reason: str = ""
    message: str = ""
    started_at: AwareDatetime | None = None
    finished_at: AwareDatetime | None = None


class ContainerState(_Part):
    """One of the three, or none while nobody has looked."""

    waiting: Waiting | None = None
    running: Running | None = None
    terminated: Terminated | None = None


class ContainerStatus(_Part):
    """What the node says of a container."""

    name: str
    ready: bool = False
    started: bool = False
    restart_count: int = 0
    image: str = ""
    state: ContainerState = ContainerState()
    last_state: ContainerState = ContainerState()


class Probe(_Part):
    """How often a container is asked, and how many failures in a row are too many."""

    period_seconds: int = 10
    failure_threshold: int = 3


class Container(_Part):
    """What the pod's spec says of a container."""

    name: str
    image: str = ""
    readiness_probe: Probe | None = None


class PodSpec(_Part):
    """What is asked for."""

    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] = ()


class PodStatus(_Part):
    """What there is."""

    phase: str = ""
    conditions: tuple[Condition, ...] = ()
    container_statuses: tuple[ContainerStatus, ...] = ()
    init_container_statuses: tuple[ContainerStatus, ...] = ()


class Pod(KubernetesObject):
    """A pod."""

    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()

    def condition(self, of: str) -> Condition | None:
        """The condition of type `of`."""
        return next((condition for condition in self.status.conditions if condition.type == of), None)


# --- what makes pods --------------------------------------------------------------------------------------------------


class RollingUpdate(_Part):
    """How a StatefulSet's pods are replaced."""

    partition: int = 0
    """Pods below this ordinal stay as they are."""


class UpdateStrategy(_Part):
    """What becomes of a StatefulSet's pods when it changes."""

    type: str = "RollingUpdate"
    rolling_update: RollingUpdate = RollingUpdate()


class WorkloadSpec(_Part):
    """How many pods are wanted, and whether a change reaches them."""

    replicas: int = 1
    update_strategy: UpdateStrategy = UpdateStrategy()
    """Of a StatefulSet."""

    @property
    def updated(self) -> int:
        """How many of the pods are to be of the newest revision: a chart may want old ones to stay."""
        if self.update_strategy.type == "OnDelete":
            return 0
        return max(0, self.replicas - self.update_strategy.rolling_update.partition)


class WorkloadStatus(_Part):
    """How many there are, of which kind."""

    observed_generation: int = 0
    replicas: int = 0
    updated_replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    update_revision: str = ""
    conditions: tuple[Condition, ...] = ()


class Workload(KubernetesObject):
    """A Deployment, a ReplicaSet or a StatefulSet."""

    spec: WorkloadSpec = WorkloadSpec()
    status: WorkloadStatus = WorkloadStatus()

    def condition(self, of: str) -> Condition | None:
        """The condition of type `of`."""
        return next((condition for condition in self.status.conditions if condition.type == of), None)


class CronJobSpec(_Part):
    """Whether it makes Jobs."""

    suspend: bool = False


class CronJob(KubernetesObject):
    """A CronJob."""

    spec: CronJobSpec = CronJobSpec()


class JobStatus(_Part):
    """How far a Job is."""

    active: int = 0
    conditions: tuple[Condition, ...] = ()
    completion_time: AwareDatetime | None = None


class Job(KubernetesObject):
    """A Job."""

    status: JobStatus = JobStatus()

    @property
    def failure(self) -> Condition | None:
        """Why it failed for good; None: it did not."""
        # `FailureTarget` comes first, `Failed` once its pods have ended.
        return next((it for it in self.status.conditions if it.type in {"Failed", "FailureTarget"} and it.true), None)

    @property
    def ended(self) -> datetime | None:
        """When it completed or failed."""
        conditions = (it for it in self.status.conditions if it.type in {"Complete", "Failed"} and it.true)
        return self.status.completion_time or next((it.last_transition_time for it in conditions), None)


class Release(KubernetesObject):
    """Helm's Secret of one revision of a release, without its content."""


# --- events -----------------------------------------------------------------------------------------------------------


class Involved(_Part):
    """What an event is about."""

    kind: str = ""
    name: str = ""
    uid: str = ""
    field_path: str = ""


class Series(_Part):
    """The repetitions of an event, as newer reporters count them."""

    count: int = 0
    last_observed_time: AwareDatetime | None = None


class Event(KubernetesObject):
    """Something that happened to an object, perhaps many times."""

    involved_object: Involved = Involved()
    reason: str = ""
    text: str = Field(default="", alias="message")
    first_timestamp: AwareDatetime | None = None
    last_timestamp: AwareDatetime | None = None
    event_time: AwareDatetime | None = None
    series: Series = Series()

    @property
    def first(self) -> datetime:
        """When it happened first."""
        return self.first_timestamp or self.event_time or self.metadata.creation_timestamp

    @property
    def last(self) -> datetime:
        """When it happened last, as far as was reported: a node stops reporting what repeats too often."""
        return self.series.last_observed_time or self.last_timestamp or self.first

    @property
    def message(self) -> str:
        """What happened, without the note that events were put together."""
        return self.text.removeprefix("(combined from similar events): ").strip()


# --- a Service's endpoints --------------------------------------------------------------------------------------------


class EndpointConditions(_Part):
    """Whether an endpoint gets traffic."""

    ready: bool = True  # the API: "a nil value should be interpreted as true"


class Target(_Part):
    """The object behind an endpoint."""

    kind: str = ""
    name: str = ""
    uid: str = ""


class Endpoint(_Part):
    """An address behind a Service."""

    addresses: tuple[str, ...] = ()
    conditions: EndpointConditions = EndpointConditions()
    target_ref: Target | None = None


class EndpointSlice(KubernetesObject):
    """Some of a Service's endpoints."""

    endpoints: tuple[Endpoint, ...] = ()

    @property
    def service(self) -> str | None:
        """The Service it belongs to."""
        return self.metadata.labels.get(SERVICE_NAME)
