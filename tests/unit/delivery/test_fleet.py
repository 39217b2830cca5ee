"""The table of `deploytag ls`."""

from datetime import UTC, datetime, timedelta

import pytest

from deploytag.delivery.fleet import Row, State, rows
from deploytag.delivery.inventory.things import Inventory, Item, Kind, Owner
from deploytag.delivery.lease.state import LeaseState
from deploytag.delivery.record import Attempt, Deployed, Outcome, Record, Tombstone
from deploytag.delivery.run import Action, Run
from deploytag.settings import Policy

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
REF, NAMESPACE = "feature/test", "shop-feature-test"
OWNER = Owner("shop", REF)
SPACE = Item(Kind.NAMESPACE, NAMESPACE, OWNER)
DATABASE = Item(Kind.DATABASE, "shop_feature_test", OWNER)
RECORD = Item(Kind.RECORD, NAMESPACE, OWNER)
TOMBSTONE = Tombstone(project="shop", ref=REF, tip=None, destroyed=NOW, run="r")
POLICY = Policy.model_validate(
    {
        "cluster": {"server": "https://cluster.test:6443"},
        "classes": {
            "feature": {
                "pattern": "feature/*",
                "secrets": [],
                "database": False,
                "migrations": False,
                "ttl": "14d",
            }
        },
    }
)


def record(outcome: Outcome = Outcome.SUCCEEDED, *, cause: str | None = None, asleep: bool = False) -> Record:
    return Record(
        project="shop",
        ref=REF,
        stack="feature-test",
        namespace=NAMESPACE,
        environment_class="feature",
        pushed=NOW,
        deployed=Deployed(revision="a" * 40, fingerprint="f", url="http://203.0.113.7", images=(), verified=NOW),
        attempt=Attempt(run="r", action=Action.DEPLOY, revision="a" * 40, started=NOW, outcome=outcome, cause=cause),
        asleep=asleep,
    )


def pushed(kept: Record) -> Record:
    push = Attempt(
        run="s",
        action=Action.DEPLOY,
        revision="b" * 40,
        started=NOW,
        outcome=Outcome.FAILED,
        cause="the tests failed",
    )
    return kept.model_copy(update={"push": push})


def lease(*, age: int) -> LeaseState:
    run = Run("1234567890", Action.DEPLOY, "b" * 40, "runner-1", "m", 7)
    return LeaseState(
        name=NAMESPACE,
        project="shop",
        ref=REF,
        holder=run.id,
        run=run,
        engines=(),
        duration=30,
        acquired=NOW,
        renewed=NOW - timedelta(seconds=age),
        transitions=0,
        seen=NOW,
    )


def row(
    *items: Item,
    kept: Record | None = None,
    leases: tuple[LeaseState, ...] = (),
    ailing: tuple[str, ...] = (),
    buried: bool = False,
) -> Row:
    found = Inventory(items, {REF: kept} if kept else {}, {REF: TOMBSTONE} if buried else {})
    [it] = rows(found, leases, {NAMESPACE: ailing}, POLICY)
    return it


@pytest.mark.parametrize(
    ("it", "state", "note"),
    [
        (row(SPACE, DATABASE, kept=record()), State.SERVING, None),
        (row(SPACE, kept=record(), ailing=("web has 0 of 1 pods",)), State.UNHEALTHY, "web has 0 of 1 pods"),
        (row(SPACE, kept=record(asleep=True)), State.ASLEEP, None),
        (row(SPACE, kept=record(Outcome.FAILED, cause="the migration failed")), State.FAILED, "the migration failed"),
        (row(SPACE, kept=record(Outcome.INTERRUPTED, cause="SIGTERM")), State.FAILED, "SIGTERM"),
        (row(SPACE, kept=record(Outcome.RUNNING)), State.DIED, "repairs"),
        (row(SPACE, kept=record(Outcome.RUNNING), leases=(lease(age=5),)), State.WORKING, "runner-1"),
        (row(SPACE, kept=record(Outcome.RUNNING), leases=(lease(age=60),)), State.DIED, "repairs"),
        (row(SPACE), State.UNMANAGED, None),
        # What is declared of the commit that is deployed does not hide a push that failed.
        (
            row(SPACE, kept=pushed(record())),
            State.SERVING,
            "bbbbbbbbbbbb, pushed 2026-03-01 12:00 UTC, is not deployed",
        ),
        (row(SPACE, kept=pushed(record(asleep=True))), State.ASLEEP, "is not deployed: the tests failed"),
        (row(SPACE, kept=pushed(record()), ailing=("web has 0 of 1 pods",)), State.UNHEALTHY, "web has 0 of 1 pods; b"),
        (row(DATABASE, kept=record()), State.LEFTOVER, "`deploytag deploy` makes it again"),
        (row(DATABASE), State.LEFTOVER, "gc"),
        (row(RECORD, kept=record(Outcome.FAILED, cause="SyntaxError: x")), State.FAILED, "SyntaxError: x"),
        (row(RECORD, kept=record(Outcome.RUNNING)), State.DIED, "repairs"),
        (row(DATABASE, kept=record(Outcome.FAILED), buried=True), State.LEFTOVER, "destroy"),
    ],
)
def test_the_state_of_an_environment(it: Row, state: State, note: str | None) -> None:
    assert it.state is state
    assert it.note is None if note is None else note in str(it.note)


def test_what_is_known_of_it() -> None:
    it = row(SPACE, kept=record())
    assert (it.url, it.revision, it.environment_class) == ("http://203.0.113.7", "a" * 40, "feature")
    assert it.expires == NOW + timedelta(days=14)
    assert (it.last, it.last_at) == ("deploy succeeded", NOW)
    assert (row(SPACE).last, row(SPACE).last_at) == (None, None)


def test_what_outlives_an_environment_is_none() -> None:
    stone, copies = Item(Kind.TOMBSTONE, NAMESPACE, OWNER), Item(Kind.BACKUP, "feature-test", OWNER)
    assert rows(Inventory((stone, copies)), (), {}, POLICY) == []
    assert row(SPACE, copies, stone).items == (SPACE, copies)
