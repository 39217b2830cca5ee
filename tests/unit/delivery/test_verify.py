"""Which pods may be behind the address, which answer is the right one, and what counts as healthy."""

from datetime import timedelta
from typing import Any

import pytest

from deploytag.delivery.diagnosis.generations import Snapshot
from deploytag.delivery.diagnosis.verify import Answer, judge, misplaced
from deploytag.delivery.diagnosis.workloads import ailing, complaints, unsettled
from deploytag.settings import Verify
from tests.unit.delivery.objects import NAMESPACE, NOW, container, ended, endpoints, pod, running, waiting, workload

RELEASE = "shop-feature-test"
COMMIT = "4be4e02f0c"
OLD = workload("web-old", revision=1, owner=("Deployment", "web"))
NEW = workload("web-new", revision=2, owner=("Deployment", "web"), made=9)
PODS = (pod("old-1", ("ReplicaSet", "web-old")), pod("new-1", ("ReplicaSet", "web-new")))
ROLLED: dict[str, Any] = {"replica_sets": (NEW, OLD), "pods": PODS}


@pytest.mark.parametrize(
    ("snapshot", "complaint"),
    [
        (Snapshot(**ROLLED, endpoint_slices=(endpoints("new-1"),)), None),
        (Snapshot(**ROLLED, endpoint_slices=(endpoints("new-1", "old-1"),)), "but also old-1"),
        (Snapshot(**ROLLED, endpoint_slices=(endpoints("old-1"),)), "but also old-1"),
        (Snapshot(**ROLLED, endpoint_slices=(endpoints("gone-1"),)), "but also gone-1"),
        (Snapshot(**ROLLED, endpoint_slices=(endpoints("new-1"), endpoints("old-1"))), "but also old-1"),
        (Snapshot(**ROLLED, endpoint_slices=(endpoints("new-1", ready=False),)), "No pod is behind the Service"),
        (Snapshot(**ROLLED, endpoint_slices=(endpoints(),)), "No pod is behind the Service"),
        (Snapshot(**ROLLED), "No pod is behind the Service"),
        (Snapshot(**ROLLED, endpoint_slices=(endpoints("new-1", service="other"),)), "No pod is behind the Service"),
        (
            # A rollback gives the older one the highest number.
            Snapshot(
                replica_sets=(NEW, workload("web-old", revision=3, owner=("Deployment", "web"))),
                pods=PODS,
                endpoint_slices=(endpoints("old-1"),),
            ),
            None,
        ),
        (
            Snapshot(
                stateful_sets=(workload("db", updateRevision="db-2"),),
                pods=(
                    pod("db-0", ("StatefulSet", "db"), labels={"controller-revision-hash": "db-1"}),
                    pod("db-1", ("StatefulSet", "db"), labels={"controller-revision-hash": "db-2"}),
                ),
                endpoint_slices=(endpoints("db-0", "db-1"),),
            ),
            "but also db-0",
        ),
        (Snapshot(pods=(pod("d-1", ("DaemonSet", "d")),), endpoint_slices=(endpoints("d-1"),)), None),
    ],
)
def test_only_the_newest_pods_may_be_behind_the_service(snapshot: Snapshot, complaint: str | None) -> None:
    said = misplaced(snapshot, RELEASE)
    assert (said is None) if complaint is None else (said is not None and complaint in said)


def test_what_keeps_an_old_pod_behind_the_service_is_named() -> None:
    database, search = (workload(name, replicas=1, updateRevision="2") for name in ("db", "search"))
    kept = database.spec.model_validate({"replicas": 1, "updateStrategy": {"type": "OnDelete"}})
    snapshot = Snapshot(
        stateful_sets=(database.model_copy(update={"spec": kept}), search),
        pods=tuple(
            pod(f"{name}-0", ("StatefulSet", name), labels={"controller-revision-hash": "1"})
            for name in ("db", "search")
        ),
        endpoint_slices=(endpoints("db-0", "search-0"),),
    )
    said = misplaced(snapshot, RELEASE)
    assert said
    assert "but also db-0, search-0. StatefulSet db keeps old pods" in said
    assert "StatefulSet search" not in said


RUNS: dict[str, Any] = {"updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1}
WORKER = workload("worker-1", revision=1, owner=("Deployment", "worker"))


def worker(*statuses: Any, owner: str = "ReplicaSet", **more: Any) -> Snapshot:
    """A Deployment that says it is available, and its pod."""
    pods = (pod("worker-1-x", (owner, "worker-1"), statuses=statuses, **more),)
    return Snapshot(replica_sets=(WORKER,), deployments=(workload("worker", **RUNS),), pods=pods)


@pytest.mark.parametrize(
    ("snapshot", "complaint"),
    [
        pytest.param(worker(container(running(since=8))), None, id="runs"),
        pytest.param(
            Snapshot(deployments=(workload(**RUNS), workload("worker", **RUNS | {"readyReplicas": 0}))),
            "Deployment worker has 0 of 1 pods available",
            id="no Service has it",
        ),
        pytest.param(
            Snapshot(deployments=(workload(generation=3, observedGeneration=2),)), "not rolled out yet", id="unseen"
        ),
        pytest.param(
            worker(container(running(since=8), last=ended(3))),
            "Container main of pod worker-1-x ended with exit code 3 and was started again a moment ago",
            id="available for a moment, as nobody probes it",
        ),
        pytest.param(worker(container(running(since=0), last=ended(3))), None, id="ended once, and stays"),
        pytest.param(
            worker(container(running(since=11), last=ended(3))), "a moment ago", id="a node's clock is a little ahead"
        ),
        pytest.param(worker(container(running(since=99), last=ended(3))), None, id="a node's clock is far ahead"),
        pytest.param(
            worker(container(running()), init=[container(running(since=8), last=ended(3), name="proxy")]),
            "Container proxy of pod worker-1-x",
            id="a sidecar",
        ),
        pytest.param(
            worker(container(running()), init=[container(ended(0), last=ended(3))]), None, id="an init container's end"
        ),
        pytest.param(worker(container(running(since=8), last=ended(3)), owner="Job"), None, id="a Job's pod"),
        pytest.param(
            worker(container(ended(3))),
            "Container main of pod worker-1-x does not run",
            id="it ended, and its Deployment does not know yet",
        ),
        pytest.param(worker(container(ended(3)), phase="Failed"), None, id="evicted, and another one is there"),
        pytest.param(worker(container(ended(0)), owner="Job"), None, id="a Job's pod that ended"),
        pytest.param(
            worker(container(running(since=8), last=ended(3)), deletionTimestamp="2026-11-23T08:00:09Z"),
            None,
            id="a pod that goes",
        ),
        pytest.param(
            worker(container(waiting("CrashLoopBackOff"), last=ended(3))), "does not run", id="it waits to be started"
        ),
    ],
)
def test_what_counts_as_running(snapshot: Snapshot, complaint: str | None) -> None:
    said = unsettled(snapshot, NOW + timedelta(seconds=10))
    assert (said is None) if complaint is None else (said is not None and complaint in said)


BY_JSON = Verify(json_path=("build", "revision"))
BY_HEADER = Verify(header="X-Revision")


@pytest.mark.parametrize(
    ("verify", "status", "headers", "document", "complaint"),
    [
        (Verify(), 200, {}, None, None),
        (Verify(), 404, {}, None, None),
        (Verify(), 503, {}, None, "status 503"),
        (BY_JSON, 200, {}, {"build": {"revision": COMMIT}}, None),
        (BY_JSON, 200, {}, {"build": {"revision": "older"}}, "shows the revision 'older' (JSON key build.revision)"),
        (BY_JSON, 200, {}, {"build": "older"}, "shows no revision"),
        (BY_JSON, 200, {}, ["build"], "shows no revision"),
        (BY_JSON, 200, {}, None, "shows no revision"),
        (BY_JSON, 500, {}, {"build": {"revision": COMMIT}}, "status 500"),
        (BY_HEADER, 200, {"X-Revision": COMMIT}, None, None),
        (BY_HEADER, 301, {}, None, "status 301 and shows no revision (header X-Revision)"),
    ],
)
def test_the_right_answer(
    verify: Verify, status: int, headers: dict[str, str], document: Any, complaint: str | None
) -> None:
    said = judge(verify, COMMIT, status, headers, document)
    assert isinstance(said, Answer) if complaint is None else (isinstance(said, str) and complaint in said)


@pytest.mark.parametrize(
    ("status", "complaint"),
    [
        ({"replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2}, None),
        ({"replicas": 3, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2}, "1 of 3 pods at an older"),
        (
            {"replicas": 2, "updatedReplicas": 1, "readyReplicas": 2, "availableReplicas": 2},
            "1 of 2 pods at its newest",
        ),
        ({"replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 1}, "1 of 2 pods available"),
        ({}, "0 of 2 pods at its newest"),
        ({"observedGeneration": 0}, "not rolled out yet"),
    ],
)
def test_healthy_is_all_available_at_the_newest_revision(status: dict[str, int], complaint: str | None) -> None:
    it = workload().model_copy(update={"spec": workload(replicas=2).spec})
    it = it.model_copy(update={"status": it.status.model_validate({"observedGeneration": 1, **status})})
    said = ailing(it, "Deployment")
    assert (said is None) if complaint is None else (said is not None and complaint in said)


@pytest.mark.parametrize(
    ("spec", "updated", "complaint"),
    [
        ({"updateStrategy": {"type": "OnDelete"}}, 0, None),
        ({"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}}, 1, None),
        ({"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}}, 0, "0 of 1 pods at its"),
        ({"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 9}}}, 0, None),
        ({}, 2, "2 of 3 pods at its newest"),
    ],
)
def test_pods_that_are_to_stay_as_they_are_may(spec: dict[str, Any], updated: int, complaint: str | None) -> None:
    """Helm waits for as many (its `ready.go`): it is no failure that the chart wants old pods to stay."""
    status = {"replicas": 3, "readyReplicas": 3, "availableReplicas": 3, "updatedReplicas": updated}
    it = workload("db")
    it = it.model_copy(
        update={
            "spec": it.spec.model_validate({"replicas": 3, **spec}),
            "status": it.status.model_validate({"observedGeneration": 1, **status}),
        }
    )
    said = ailing(it, "StatefulSet")
    assert (said is None) if complaint is None else (said is not None and complaint in said)
    assert it.spec.updated >= 0


def test_what_sleeps_is_healthy_and_what_is_not_there_is_not_named() -> None:
    asleep = workload(replicas=0)
    assert complaints([asleep], []) == {NAMESPACE: ()}
    assert complaints([], []) == {}
    ill = workload("db", replicas=1)
    assert complaints([asleep], [ill]) == {NAMESPACE: ("StatefulSet db has 0 of 1 pods at its newest revision.",)}
