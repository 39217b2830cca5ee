"""What a record says while a run works, whenever that run dies."""

from datetime import UTC, datetime, timedelta

import pytest

from deploytag.delivery.record import Attempt, Deployed, Outcome, Record
from deploytag.delivery.run import Action

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
RECORD = Record(project="shop", ref="feature/test", stack="feature-test", namespace="shop-feature-test", pushed=NOON)
RUN = Attempt(run="r", action=Action.DEPLOY, revision="a" * 40, started=NOON)


@pytest.mark.parametrize(
    ("before", "declared", "meanwhile"),
    [
        (True, True, True),
        (False, False, False),
        (True, False, None),  # a push, or `wake`
        (False, True, None),  # `sleep`
        (None, True, None),
        (None, False, None),
    ],
)
def test_whether_it_sleeps_is_unknown_while_a_run_changes_it(
    before: bool | None, declared: bool, meanwhile: bool | None
) -> None:
    begun = RECORD.model_copy(update={"asleep": before}).begun(RUN, asleep=declared)
    assert (begun.asleep, begun.attempt) == (meanwhile, RUN)


def test_an_older_deploytag_reads_what_is_unknown_as_awake() -> None:
    """It knows truth values alone, and would take a record with anything else for none."""
    assert '"asleep"' not in RECORD.model_dump_json()
    for asleep in (None, True, False):
        it = RECORD.model_copy(update={"asleep": asleep})
        assert Record.model_validate_json(it.model_dump_json()) == it


# --- pushes -----------------------------------------------------------------------------------------------------------

LATER, OLD, NEW = NOON + timedelta(hours=1), "a" * 40, "b" * 40
DEPLOYED = Deployed(revision=OLD, fingerprint="f", url="http://x", images=(), verified=NOON)


def run(name: str, action: Action, outcome: Outcome, revision: str = OLD) -> Attempt:
    return Attempt(run=name, action=action, revision=revision, started=LATER, outcome=outcome, cause=None)


def known(attempt: Attempt | None = None, push: Attempt | None = None) -> Record:
    return RECORD.model_copy(update={"deployed": DEPLOYED, "attempt": attempt, "push": push})


SERVED = run("1", Action.DEPLOY, Outcome.SUCCEEDED)
FAILED = run("2", Action.DEPLOY, Outcome.FAILED, NEW)
DIED = run("2", Action.DEPLOY, Outcome.RUNNING, NEW)
TESTED = run("3", Action.DEPLOY, Outcome.RUNNING, NEW)
OWN = run("4", Action.DEPLOY, Outcome.RUNNING, NEW)
SYNC = run("5", Action.SYNC, Outcome.RUNNING)


@pytest.mark.parametrize(
    ("mine", "now", "push"),
    [
        (SYNC, known(SERVED), None),
        # What is done with the commit that is deployed does not make a failed push one that never was.
        (SYNC, known(FAILED), FAILED),
        (SYNC, known(SYNC, FAILED), FAILED),
        (
            SYNC,
            known(DIED),
            DIED.model_copy(update={"outcome": Outcome.INTERRUPTED, "cause": "its run ended without a word"}),
        ),
        (SYNC, known(run("0", Action.SLEEP, Outcome.FAILED)), None),
        # Nor does it take away what another run, which waits for it, has written.
        (SYNC, known(FAILED, TESTED), TESTED),
        (OWN, known(SERVED, TESTED), TESTED),
        # A push that is being deployed is the attempt; one that failed before was superseded by it.
        (OWN, known(SERVED, OWN), None),
        (OWN, known(FAILED), None),
        (OWN, known(FAILED, OWN), None),
    ],
)
def test_a_run_keeps_the_push_that_it_is_not(mine: Attempt, now: Record, push: Attempt | None) -> None:
    assert known().begun(mine, asleep=False).over(now).push == push


def test_a_run_keeps_what_others_wrote_meanwhile() -> None:
    now = known(SERVED).model_copy(update={"pushed": LATER, "keep_until": LATER})
    written = known().begun(SYNC, asleep=False).over(now)
    assert (written.pushed, written.keep_until, written.attempt) == (LATER, LATER, SYNC)
    woken = known().begun(SYNC, asleep=False).model_copy(update={"pushed": LATER})
    assert woken.over(known(SERVED)).pushed == LATER


@pytest.mark.parametrize(
    ("before", "pushed"),
    [
        (known(), LATER),
        (known(SERVED), LATER),
        (known(SERVED, TESTED), NOON),
        (known(FAILED), NOON),
        (known(FAILED, run("9", Action.DEPLOY, Outcome.FAILED, OLD)), LATER),
    ],
)
def test_a_commit_that_is_run_again_is_no_new_push(before: Record, pushed: datetime) -> None:
    it = before.asked_for(OWN)
    assert (it.pushed, it.push) == (pushed, OWN)
    assert it.model_copy(update={"pushed": NOON, "push": None}) == before.model_copy(update={"push": None})


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (known(SERVED), None),
        (known(FAILED), None),  # its attempt tells
        (known(SYNC.model_copy(update={"outcome": Outcome.SUCCEEDED}), FAILED), "did not say why"),
        (known(SERVED, TESTED), "tests it, waits for its turn, or ended without a word"),
        (known(SERVED, FAILED.model_copy(update={"cause": "the tests failed"})), "is not deployed: the tests failed"),
        # The same commit twice, of which one was faster.
        (known(SERVED, TESTED.model_copy(update={"revision": OLD})), None),
    ],
)
def test_what_is_said_of_a_push_that_is_not_deployed(record: Record, said: str | None) -> None:
    assert record.undeployed is None if said is None else said in str(record.undeployed)
    assert said is None or str(record.undeployed).startswith(f"{NEW[:12]}, pushed 2026-01-02 13:00 UTC")
