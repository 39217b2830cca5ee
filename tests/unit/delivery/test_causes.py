"""When a deployment is given up, replayed from what a cluster said, and by what sometimes mends itself."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploytag.delivery.diagnosis import causes
from deploytag.delivery.diagnosis.cause import CauseKind
from deploytag.delivery.diagnosis.generations import Snapshot, baseline
from deploytag.delivery.diagnosis.objects import Event
from tests.unit.delivery import timelines
from tests.unit.delivery.objects import (
    NOW,
    condition,
    container,
    ended,
    event,
    job,
    pod,
    release,
    running,
    serving,
    waiting,
    workload,
)

SOON_ENOUGH = timedelta(seconds=30)

BROKEN = {
    "crash": (CauseKind.CRASH, "ends again and again: exit code 1", "Back-off restarting"),
    "slow-crash": (CauseKind.CRASH, "exit code 1, 1 restarts", "Back-off restarting"),
    "no-program": (CauseKind.CRASH, "cannot be started", 'exec: "/no/such/program"'),
    "startup-probe": (CauseKind.PROBE_KILLS, "its startup probe fails", "Startup probe failed: not today"),
    "liveness-probe": (CauseKind.PROBE_KILLS, "its liveness probe fails", "Liveness probe failed: not today"),
    "readiness-probe": (CauseKind.NEVER_READY, "readiness probe", "Readiness probe failed: not today"),
    "image": (CauseKind.IMAGE, "debian:no-such-tag", "not found"),
    "image-name": (CauseKind.IMAGE, "debian:UPPER:x", "invalid reference format"),
    "registry": (CauseKind.IMAGE, "registry.invalid/app:1", "registry.invalid"),
    "resources": (CauseKind.UNSCHEDULABLE, "No node can run pod app-", "1 Insufficient cpu"),
    "config": (CauseKind.CONFIG, "cannot be created", 'secret "nowhere" not found'),
    "mount": (CauseKind.MOUNT, "cannot be set up", 'secret "nowhere" not found'),
    "hook": (CauseKind.HOOK, "The pre-install,pre-upgrade hook migrate failed", "backoff limit"),
    "quota": (CauseKind.REFUSED, "refuses the pods of replicaset/app-", "exceeded quota: small"),
    "pod-security": (CauseKind.REFUSED, "refuses the pods of replicaset/app-", "violates PodSecurity"),
    "stateful": (CauseKind.REFUSED, "refuses the pods of statefulset/app", "violates PodSecurity"),
    "broken-anew": (CauseKind.CRASH, "ends again and again", "Back-off restarting"),
}
HEALTHY = ("slow-start", "ends-once", "migrated")
FATAL = frozenset(
    {"BackOff", "Failed", "Unhealthy", "FailedScheduling", "FailedMount", "FailedCreate", "BackoffLimitExceeded"}
)
"""Reasons of the events after which nothing of these comes right any more."""


@pytest.mark.parametrize("case", BROKEN)
def test_what_never_comes_right_is_found_within_half_a_minute_of_its_first_sign(case: str) -> None:
    kind, what, said = BROKEN[case]
    found = timelines.watch(case)
    assert found is not None
    cause, when = found
    assert cause.kind is kind
    assert what in cause.what
    assert said in (cause.event or "")
    assert cause.hint
    assert when - cause.since <= SOON_ENOUGH
    # Whatever the cause itself says of when it began.
    assert when - first_fatal_event(case) <= SOON_ENOUGH


def first_fatal_event(case: str) -> datetime:
    """Of the run that was recorded; where two were, of the second."""
    changes = timelines.timeline(case)
    began = max((it.at for it in changes if it.object is None), default=changes[0].at).replace(microsecond=0)
    events = (it.object for it in changes if isinstance(it.object, Event) and it.object.reason in FATAL)
    return min(it.first for it in events if it.first >= began)


@pytest.mark.parametrize("case", HEALTHY)
def test_what_comes_right_is_never_given_up(case: str) -> None:
    assert timelines.watch(case, then=timedelta(minutes=5)) is None


@pytest.mark.parametrize("case", ["mended", "stateful-mended"])
def test_old_trouble_does_not_end_the_run_that_mends_it(case: str) -> None:
    assert timelines.watch(case, then=timedelta(minutes=5)) is None
    # Without knowing what was there before, it would have.
    assert any(causes.find(snapshot, now) for snapshot, now, _ in timelines.looks(timelines.timeline(case)))


def test_a_run_that_changes_nothing_of_what_is_broken_is_ended_once_helm_has_applied_it() -> None:
    found = timelines.watch("broken-still")
    assert found is not None
    began = max(
        it.object.metadata.creation_timestamp
        for it in timelines.timeline("broken-still")
        if it.field == "releases" and it.object
    )
    assert causes.SETTLED <= found[1] - began <= SOON_ENOUGH


@given(data=st.data())
def test_no_sequence_of_changes_raises(data: st.DataObject) -> None:
    """Whatever is lost, repeated or comes in another order."""
    mixed = [change for case in (*BROKEN, *HEALTHY, "mended") for change in timelines.timeline(case)]
    namespace = timelines.Namespace()
    before = data.draw(st.sampled_from([frozenset[str](), baseline(Snapshot())]))
    for change in data.draw(st.lists(st.sampled_from(mixed), max_size=25)):
        namespace.apply(change)
        now = change.at + timedelta(seconds=data.draw(st.integers(-60, 600)))
        cause = causes.find(namespace.snapshot, now, before)
        assert cause is None or (cause.what.endswith(".") and cause.hint)
        before |= data.draw(st.sampled_from([frozenset(), baseline(namespace.snapshot)]))


@given(data=st.data(), case=st.sampled_from(HEALTHY))
def test_a_healthy_rollout_has_no_cause_though_changes_get_lost(data: st.DataObject, case: str) -> None:
    changes = timelines.timeline(case)
    kept = data.draw(st.lists(st.booleans(), min_size=len(changes), max_size=len(changes)))
    seen = tuple(change for change, keep in zip(changes, kept, strict=True) if keep) or changes[:1]
    assert not any(causes.find(snapshot, now) for snapshot, now, _ in timelines.looks(seen, timedelta(minutes=2)))


# --- what sometimes mends itself --------------------------------------------------------------------------------------

PROBED = {"periodSeconds": 10, "failureThreshold": 3}
UNSCHEDULABLE = condition("PodScheduled", "False", 0, "Unschedulable", "0/1 nodes are available")
NO_VOLUME = condition("PodScheduled", "False", 0, "Unschedulable", "unbound immediate PersistentVolumeClaims")
PENDING = pod(conditions=[UNSCHEDULABLE], phase="Pending")
ENDING = pod("old-1", deletionTimestamp=NOW.isoformat())
CREATING = pod(statuses=[container(waiting("ContainerCreating"))], phase="Pending")
NOT_READY = container(running(), ready=False, started=True)
CRASHED = container(waiting("CrashLoopBackOff"), ended(), restartCount=2)
CRASHED_ONCE = container(waiting("CrashLoopBackOff"), ended(), restartCount=1)
HICCUP = container(waiting("ErrImagePull", "dial tcp: i/o timeout"))
QUOTA = workload(
    "web",
    conditions=[condition("ReplicaFailure", "True", 0, "FailedCreate", "exceeded quota: environment")],
    replicas=1,
)


@pytest.mark.parametrize(
    ("snapshot", "certain"),
    [
        pytest.param(serving(PENDING), 20, id="unschedulable"),
        pytest.param(serving(PENDING, ENDING), 20, id="unschedulable while a pod ends"),
        pytest.param(serving(pod(conditions=[NO_VOLUME], phase="Pending")), 20, id="its volume is being made"),
        pytest.param(serving(PENDING, events=(event("TriggeredScaleUp"),)), None, id="the autoscaler helps"),
        pytest.param(serving(PENDING, events=(event("NotTriggerScaleUp"),)), 10, id="the autoscaler cannot help"),
        pytest.param(serving(pod(statuses=[CRASHED])), 1, id="crash loop"),
        pytest.param(serving(pod(statuses=[CRASHED_ONCE])), None, id="ended twice, quickly"),
        pytest.param(
            serving(pod(statuses=[container(ended(0), ended(0), restartCount=2)])), 1, id="ends without an error"
        ),
        pytest.param(serving(pod(init=[container(ended(0), restartCount=3)])), None, id="an init container is done"),
        pytest.param(serving(pod(init=[CRASHED])), 1, id="an init container crashes"),
        pytest.param(serving(pod(statuses=[HICCUP])), 20, id="the registry is away for a moment"),
        pytest.param(
            serving(pod(statuses=[container(waiting("ImagePullBackOff", "Back-off: 401 Unauthorized"))])),
            0,
            id="the registry refuses",
        ),
        pytest.param(
            # As in 3 of 100 digests, and in some accounts' numbers.
            serving(pod(statuses=[container(waiting("ImagePullBackOff", "Back-off pulling app@sha256:8c4031e9"))])),
            20,
            id="a digest is no status",
        ),
        pytest.param(
            serving(CREATING, events=(event("FailedMount", "cache not synced", first=1, last=2),)), 21, id="no volume"
        ),
        pytest.param(
            serving(
                CREATING, events=(event("FailedMount", "cache not synced", first=1, last=2), event("Pulling", first=2))
            ),
            None,
            id="mounted at the second try, and pulls an image for long",
        ),
        pytest.param(
            serving(
                pod(statuses=[NOT_READY], readiness=PROBED),
                events=(event("Unhealthy", "Readiness probe failed: 503", first=5),),
            ),
            25,
            id="never ready",
        ),
        pytest.param(
            serving(
                pod(statuses=[NOT_READY], readiness={"periodSeconds": 5, "failureThreshold": 13}),
                events=(event("Unhealthy", "Readiness probe failed: 503", first=5),),
            ),
            65,
            id="a chart that says how long it takes to be ready",
        ),
        pytest.param(
            serving(
                pod(statuses=[NOT_READY], readiness=PROBED, conditions=[condition("ContainersReady", "False", 60)]),
                events=(event("Unhealthy", "Readiness probe failed: 503", first=5, last=60),),
            ),
            80,
            id="it was ready in between",
        ),
        pytest.param(
            serving(
                pod(statuses=[container(running(50), ready=False, started=True)], readiness=PROBED),
                events=(event("Unhealthy", "Readiness probe failed: 503", first=5, last=20),),
            ),
            None,
            id="the run before this one was not ready",
        ),
        pytest.param(
            serving(
                pod(statuses=[container(running(), ready=False, started=False)], readiness=PROBED),
                events=(event("Unhealthy", "Startup probe failed: 503", first=5, last=90),),
            ),
            None,
            id="a startup probe is waited for",
        ),
        pytest.param(Snapshot(replica_sets=(QUOTA,)), 10, id="quota"),
        pytest.param(Snapshot(replica_sets=(QUOTA,), pods=(ENDING,)), 25, id="quota, while a pod ends"),
        pytest.param(serving(pod("web-1", statuses=[CRASHED], deletionTimestamp=NOW.isoformat())), None, id="ending"),
        pytest.param(
            serving(pod("web-1", ("ReplicaSet", "older"), statuses=[CRASHED])), None, id="an older ReplicaSet's"
        ),
        pytest.param(
            Snapshot(pods=(pod("bare", None, statuses=[CRASHED]),)), 1, id="a pod that nothing made counts as it is"
        ),
        pytest.param(
            Snapshot(pods=(pod("db-0", ("StatefulSet", "db"), statuses=[CRASHED]),), stateful_sets=(workload("db"),)),
            1,
            id="a StatefulSet's pod",
        ),
        pytest.param(
            Snapshot(pods=(pod("m-1", ("Job", "migrate"), statuses=[CRASHED]),), jobs=(job(active=1),)),
            None,
            id="a hook that may fail some more times",
        ),
        pytest.param(
            Snapshot(pods=(pod("m-1", ("Job", "migrate"), conditions=[UNSCHEDULABLE]),), jobs=(job(active=1),)),
            20,
            id="a hook that no node can run",
        ),
        pytest.param(
            Snapshot(jobs=(job(conditions=[condition("Failed", "True", 3, "DeadlineExceeded")]),)),
            3,
            id="a failed hook",
        ),
        pytest.param(
            Snapshot(
                jobs=(
                    job("nightly-1", hook=None, owner=("CronJob", "nightly"), conditions=[condition("Failed", "True")]),
                )
            ),
            None,
            id="a cron job's failure is not the deployment's",
        ),
        pytest.param(
            Snapshot(jobs=(job(),), events=(event("FailedCreate", "exceeded quota", of="migrate", first=2),)),
            12,
            id="a hook's pod is refused",
        ),
    ],
)
def test_patience(snapshot: Snapshot, certain: int | None) -> None:
    """`certain`: the first second, after the start, at which there is a cause."""
    first = next((s for s in range(120) if causes.find(snapshot, NOW + timedelta(seconds=s))), None)
    assert first == certain


def test_a_container_that_recovered_is_not_judged_by_an_old_event() -> None:
    killed = event("Killing", "Container main failed liveness probe, will be restarted", first=5)
    well = pod(statuses=[container(running(8), ready=True, started=True, restartCount=1)])
    for seconds, found in ((6, True), (60, True), (600, False)):
        assert bool(causes.find(serving(well, events=(killed,)), NOW + timedelta(seconds=seconds))) is found


def test_memory_is_named() -> None:
    killed = container(waiting("CrashLoopBackOff"), ended(137, reason="OOMKilled"), restartCount=2)
    cause = causes.find(serving(pod(statuses=[killed])), NOW + timedelta(seconds=5))
    assert cause is not None
    assert "out of memory (OOMKilled)" in cause.what


def test_the_earliest_cause_is_the_one() -> None:
    late = pod("web-2", statuses=[container(waiting("CrashLoopBackOff"), ended(until=50), restartCount=2)])
    early = pod("web-1", statuses=[container(waiting("CrashLoopBackOff"), ended(until=40), restartCount=2)])
    cause = causes.find(serving(late, early), NOW + timedelta(seconds=60))
    assert cause is not None
    assert cause.object == "pod/web-1"


def _upgrade(**more: Any) -> Snapshot:
    """A crash-looping pod from before the run, and what the run brought."""
    return serving(pod(statuses=[CRASHED]), **more)


BEFORE = baseline(_upgrade(releases=(release(1, "deployed"),)))
DONE = condition("Complete", "True", 100)


@pytest.mark.parametrize(
    ("snapshot", "judged_at"),
    [
        (_upgrade(), None),
        (_upgrade(releases=(release(1, "deployed"),)), None),
        (_upgrade(releases=(release(2, "pending-upgrade", made=50),)), 65),
        (_upgrade(releases=(release(2, "pending-upgrade", made=50),), jobs=(job(active=1),)), None),
        (_upgrade(releases=(release(2, "pending-upgrade", made=50),), jobs=(job(conditions=[DONE]),)), 115),
        (
            _upgrade(
                releases=(release(2, "pending-upgrade", made=50),),
                events=(event("Completed", "Job completed", of="migrate", first=90, kind="Job"),),
            ),
            105,
        ),
    ],
    ids=["nothing yet", "images are built", "helm began", "a hook runs", "a hook ended", "a hook ended and is gone"],
)
def test_what_was_there_before_is_judged_when_helm_must_have_applied(snapshot: Snapshot, judged_at: int | None) -> None:
    first = next((s for s in range(150) if causes.find(snapshot, NOW + timedelta(seconds=s), BEFORE)), None)
    assert first == judged_at
