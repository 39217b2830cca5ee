"""Why an environment is as it is: the first thing that explains the rest."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from deploytag.delivery.diagnosis.explain import Facts, NamespaceLook, State, pending_release, why
from deploytag.delivery.diagnosis.generations import Snapshot
from deploytag.delivery.record import Attempt, Deployed, Outcome, Record, Tombstone
from deploytag.delivery.run import Action
from deploytag.identity import identify
from tests.unit.delivery.objects import NOW, container, ended, pod, release, serving, waiting, workload

IDENTITY = identify("shop", "feature/test")
COMMIT = "4be4e02f0c1d9f6a"
HERE = NamespaceLook()
ATTEMPT = Attempt(run="0af3", action=Action.DEPLOY, revision=COMMIT, started=NOW, outcome=Outcome.SUCCEEDED)
DEPLOYED = Deployed(revision=COMMIT, fingerprint="f", url="http://192.0.2.7", images=(), verified=NOW)
RECORD = Record(
    project="shop",
    ref=IDENTITY.ref,
    stack=IDENTITY.stack,
    namespace=IDENTITY.namespace,
    pushed=NOW,
    deployed=DEPLOYED,
    attempt=ATTEMPT,
    asleep=False,
)
TOMBSTONE = Tombstone(project="shop", ref=IDENTITY.ref, tip=None, destroyed=NOW, run="0af3")
UP = workload(replicas=1, updatedReplicas=1, readyReplicas=1, availableReplicas=1)
CRASHING = serving(pod(statuses=[container(waiting("CrashLoopBackOff"), ended(), restartCount=4)]))
PENDING = (release(4, "deployed"), release(5, "pending-upgrade"))
LOCK = "root@ci-7 since 08:00"


@dataclass
class Lease:
    holder: str | None
    live: bool
    said: str = "deploy of 4be4e02 (run 0af3, process 7 on ci-7)"


def facts(**changes: Any) -> Facts:
    known: dict[str, Any] = {
        "identity": IDENTITY,
        "now": NOW + timedelta(minutes=5),
        "namespace": HERE,
        "record": RECORD,
        "snapshot": Snapshot(deployments=(UP,)),
    }
    return Facts(**{**known, **changes})


def attempt(outcome: Outcome, cause: str | None = None, **changes: Any) -> Record:
    return RECORD.model_copy(
        update={"attempt": ATTEMPT.model_copy(update={"outcome": outcome, "cause": cause}), **changes}
    )


@pytest.mark.parametrize(
    ("found", "state", "sentence"),
    [
        (facts(), State.HEALTHY, "4be4e02f0c1d was seen at http://192.0.2.7"),
        (facts(lease=Lease("0af3", live=True)), State.BUSY, "A run is working on feature/test: deploy of 4be4e02"),
        (facts(lease=Lease(None, live=False)), State.HEALTHY, "is healthy"),
        (facts(lease=Lease("0af3", live=False)), State.DIED, "its lease has expired"),
        (facts(record=attempt(Outcome.RUNNING)), State.DIED, "deploy begun 2026-11-23 08:00:00 UTC, run 0af3"),
        (
            facts(namespace=NamespaceLook(NOW, ("ConfigMap x has the finalizer example.com/keep",))),
            State.TERMINATING,
            "is being deleted since 2026-11-23 08:00:00 UTC, and is held",
        ),
        (facts(snapshot=Snapshot(releases=PENDING)), State.PENDING, "revision 5 is pending-upgrade"),
        (facts(locks=(LOCK,)), State.LOCKED, f"is locked: {LOCK}"),
        (facts(snapshot=CRASHING), State.BROKEN, "ends again and again"),
        (facts(snapshot=replace(CRASHING, releases=PENDING)), State.PENDING, "interrupted"),
        (
            facts(record=attempt(Outcome.FAILED, "The tests failed.\nassert 1 == 2")),
            State.FAILED,
            "was unsuccessful: The tests failed.",
        ),
        (facts(record=attempt(Outcome.INTERRUPTED)), State.FAILED, "was interrupted"),
        (facts(snapshot=Snapshot(deployments=(workload(),))), State.UNHEALTHY, "0 of 1 pods at its newest"),
        (
            facts(record=attempt(Outcome.SUCCEEDED, asleep=True), snapshot=CRASHING),
            State.ASLEEP,
            "feature/test is asleep",
        ),
        (facts(record=attempt(Outcome.FAILED, "no", asleep=None), snapshot=CRASHING), State.BROKEN, "again and again"),
        (facts(namespace=None, record=None, tombstone=TOMBSTONE), State.GONE, "was destroyed on purpose"),
        (facts(namespace=None, record=None), State.NEVER, "was never deployed"),
        (facts(namespace=None, record=None, no_class="It has no class."), State.NEVER, "was never deployed"),
        (facts(namespace=None), State.UNHEALTHY, "its namespace shop-feature-test is gone"),
        (
            facts(namespace=None, record=attempt(Outcome.FAILED, "SyntaxError: x", deployed=None), snapshot=Snapshot()),
            State.FAILED,
            "was unsuccessful: SyntaxError: x",
        ),
        (facts(namespace=None, record=attempt(Outcome.FAILED, "x"), tombstone=TOMBSTONE), State.GONE, "on purpose"),
        (facts(unknown={"lease": "403 Forbidden"}), State.UNKNOWN, "not everything could be asked"),
        (facts(unknown={"lease": "403 Forbidden"}, snapshot=CRASHING), State.BROKEN, "ends again and again"),
    ],
)
def test_the_first_that_explains_the_rest(found: Facts, state: State, sentence: str) -> None:
    explanation = why(found)
    assert explanation.state is state
    assert sentence in explanation.sentence


def test_evidence_is_what_else_is_known() -> None:
    dead = why(facts(lease=Lease("0af3", live=False), locks=(LOCK,), snapshot=Snapshot(releases=PENDING)))
    assert [line.split(":")[0] for line in dead.evidence] == ["Pulumi's lock", "Helm's release"]
    failed = why(facts(record=attempt(Outcome.FAILED, "The tests failed.\nassert 1 == 2")))
    assert failed.evidence == ("assert 1 == 2", "What was deployed before still runs: 4be4e02f0c1d.")
    # What is done with the commit that is deployed does not hide a push that failed.
    push = ATTEMPT.model_copy(update={"revision": "b" * 40, "outcome": Outcome.FAILED, "cause": "no"})
    for it in (
        facts(record=attempt(Outcome.SUCCEEDED, push=push)),
        facts(record=attempt(Outcome.SUCCEEDED, push=push, asleep=True)),
        facts(record=attempt(Outcome.SUCCEEDED, push=push), snapshot=Snapshot(deployments=(workload(),))),
        facts(record=attempt(Outcome.FAILED, "an earlier one", push=push)),
    ):
        assert why(it).evidence[-1] == "bbbbbbbbbbbb, pushed 2026-11-23 08:00 UTC, is not deployed: no"
    # After a `sleep` that died nobody knows, and nothing ails what has no pods.
    unknown = why(facts(record=attempt(Outcome.FAILED, "The tests failed.", asleep=None)))
    assert unknown.evidence == ()
    gone = why(facts(namespace=None, record=attempt(Outcome.FAILED, "The tests failed."), snapshot=Snapshot()))
    assert gone.evidence == ("What was deployed before is gone with its namespace shop-feature-test.",)
    unseen = facts(namespace=None, record=attempt(Outcome.FAILED, "x"), unknown={"namespace": "403 Forbidden"})
    assert why(replace(unseen, snapshot=Snapshot())).evidence == ()
    broken = why(facts(snapshot=CRASHING, record=attempt(Outcome.FAILED, "Container main ended.")))
    assert broken.cause is not None
    assert broken.evidence == ("The last run: Container main ended.",)


@pytest.mark.parametrize(
    ("releases", "pending"),
    [
        ((), False),
        (PENDING, True),
        ((release(9, "pending-install"), release(10, "deployed")), False),
        ((release(2, "pending-rollback", name="other"),), False),
        ((release(2, "failed"),), False),
    ],
)
def test_only_the_newest_revision_can_be_pending(releases: tuple[Any, ...], pending: bool) -> None:
    assert (pending_release(releases, "shop-feature-test") is not None) is pending


@pytest.mark.parametrize(
    ("no_class", "what_now"),
    [(None, "Push the branch, or run `deploytag deploy`."), ("foo belongs to no class.", "foo belongs to no class.")],
)
def test_nobody_is_told_to_push_what_would_not_be_deployed(no_class: str | None, what_now: str) -> None:
    assert why(facts(namespace=None, record=None, no_class=no_class)).what_now == what_now
