"""What a collection decides: never a branch that exists, and nothing when git's answer looks wrong."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploytag.delivery.inventory.things import Inventory, Item, Kind, Owner
from deploytag.delivery.record import Record, Tombstone
from deploytag.delivery.removal.collect import ItemOutcome, ItemResult
from deploytag.delivery.removal.collection import Collection
from deploytag.delivery.removal.gc import Deed, Entry, Facts, GcPlan, changed, decide
from deploytag.delivery.removal.gc_run import Collected
from deploytag.delivery.report import Ending
from deploytag.identity import identify
from deploytag.settings import Policy

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
PROJECT = "shop"
POLICY = Policy.model_validate(
    {
        "cluster": {"server": "https://cluster.test"},
        "classes": {
            "feature": {
                "pattern": "feature/*",
                "secrets": [],
                "database": False,
                "migrations": False,
                "ttl": "14d",
                "sleep_after": "2d",
            },
            "short": {"pattern": "short/*", "secrets": [], "database": False, "migrations": False, "ttl": "36h"},
            "release": {
                "pattern": "release/*",
                "secrets": [],
                "database": False,
                "migrations": False,
                "protected": True,
            },
        },
    }
)


def things(ref: str, *kinds: Kind) -> list[Item]:
    identity = identify(PROJECT, ref)
    names = {Kind.STACK: identity.stack, Kind.DATABASE: identity.database, Kind.ROLE: identity.role}
    return [Item(kind, names.get(kind, identity.namespace), Owner(PROJECT, ref)) for kind in kinds]


def record(ref: str, pushed: timedelta, **more: Any) -> Record:
    identity = identify(PROJECT, ref)
    return Record(
        project=PROJECT, ref=ref, stack=identity.stack, namespace=identity.namespace, pushed=NOW - pushed, **more
    )


def facts(
    items: list[Item],
    refs: dict[str, str] | None,
    *records: Record,
    tombstones: tuple[Tombstone, ...] = (),
    **more: Any,
) -> Facts:
    found = Inventory(tuple(items), {it.ref: it for it in records}, {it.ref: it for it in tombstones})
    given: dict[str, Any] = {"remote_error": "it is down", "branches_before": None, "live": frozenset(), **more}
    given.setdefault("branches", len(refs or ()))
    return Facts(refs=refs, inventory=found, policy=POLICY, now=NOW, **given)


def done(plan: GcPlan) -> list[tuple[Deed, str]]:
    assert plan.refused is None
    return [(entry.deed, entry.ref) for entry in plan.entries]


MAIN = {"main": "a" * 40}
TAGS = {f"v{number}": "a" * 40 for number in range(1000)}


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind not in (Kind.LEASE, Kind.TOMBSTONE)])
def test_whatever_is_left_of_a_branch_that_is_gone_is_destroyed(kind: Kind) -> None:
    assert done(decide(facts(things("feature/gone", kind), MAIN))) == [(Deed.DESTROY, "feature/gone")]


def test_environments_are_destroyed_in_the_order_of_their_branches_and_once() -> None:
    items = things("feature/b", Kind.NAMESPACE, Kind.DATABASE) + things("feature/a", Kind.STACK)
    assert done(decide(facts(items, MAIN))) == [(Deed.DESTROY, "feature/a"), (Deed.DESTROY, "feature/b")]


@pytest.mark.parametrize(
    ("ref", "pushed", "more", "deed"),
    [
        ("feature/x", timedelta(days=15), {}, Deed.DESTROY),
        ("feature/x", timedelta(days=14), {}, Deed.DESTROY),
        ("feature/x", timedelta(days=13), {}, Deed.SLEEP),
        ("feature/x", timedelta(days=13), {"asleep": True}, None),
        ("feature/x", timedelta(days=13), {"asleep": None}, Deed.SLEEP),  # a push onto it failed, or a `sleep` died
        ("feature/x", timedelta(days=1), {}, None),
        ("feature/x", timedelta(days=15), {"keep_until": NOW + timedelta(days=1)}, None),
        ("feature/x", timedelta(days=15), {"keep_until": NOW - timedelta(days=1)}, Deed.DESTROY),
        ("feature/x", timedelta(days=3), {"keep_until": NOW + timedelta(days=1)}, None),
        ("short/x", timedelta(hours=36), {}, Deed.DESTROY),
        ("release/x", timedelta(days=900), {}, None),
        ("nobody/x", timedelta(days=900), {}, None),
        ("nobody/x", timedelta(days=900), {"environment_class": "feature"}, Deed.DESTROY),
        # What belongs to no class is not declared again, not even to sleep; its end comes all the same.
        ("nobody/x", timedelta(days=11), {"environment_class": "feature"}, None),
    ],
)
def test_a_branch_that_exists_is_collected_by_the_time_since_its_last_push(
    ref: str, pushed: timedelta, more: dict[str, Any], deed: Deed | None
) -> None:
    plan = decide(facts(things(ref, Kind.NAMESPACE), {ref: "b" * 40}, record(ref, pushed, **more)))
    assert done(plan) == ([(deed, ref)] if deed else [])


def test_without_a_record_nobody_knows_the_last_push() -> None:
    assert done(decide(facts(things("feature/x", Kind.NAMESPACE), {"feature/x": "b" * 40}))) == []


@pytest.mark.parametrize(
    ("ref", "pushed", "more", "warned"),
    [
        ("feature/x", timedelta(days=11), {"asleep": True}, False),
        ("feature/x", timedelta(days=12), {"asleep": True}, True),  # a seventh of 14 days before
        ("short/x", timedelta(hours=11), {}, False),
        ("short/x", timedelta(hours=12), {}, True),  # 24 hours before, which is more than a seventh of 36
        ("feature/x", timedelta(days=12), {"asleep": True, "keep_until": NOW + timedelta(days=9)}, False),
        ("nobody/x", timedelta(days=12), {"environment_class": "feature"}, True),  # it cannot sleep before
    ],
)
def test_the_end_is_announced(ref: str, pushed: timedelta, more: dict[str, Any], warned: bool) -> None:
    plan = decide(facts(things(ref, Kind.NAMESPACE), {ref: "b" * 40}, record(ref, pushed, **more)))
    assert done(plan) == []
    assert [note.subject for note in plan.warnings] == ([ref] if warned else [])


@pytest.mark.parametrize(
    ("ref", "records"),
    [("release/gone", ()), ("gone", (record("gone", timedelta(days=9), environment_class="release"),))],
)
def test_what_is_protected_is_named_and_kept_when_its_branch_is_gone(ref: str, records: tuple[Record, ...]) -> None:
    plan = decide(facts(things(ref, Kind.NAMESPACE, Kind.DATABASE), MAIN, *records))
    assert done(plan) == []
    assert [note.subject for note in plan.left_alone] == [ref]


def test_what_cannot_be_proven_is_named_and_kept() -> None:
    lost = Item(Kind.DATABASE, "shop_feature_lost", None, "the ledger does not name it")
    plan = decide(facts([lost], MAIN))
    assert done(plan) == []
    assert [(note.subject, note.text) for note in plan.left_alone] == [
        ("database shop_feature_lost", "the ledger does not name it")
    ]


@pytest.mark.parametrize(
    ("refs", "more", "sentence"),
    [
        (None, {}, "it is down"),
        ({}, {}, "no branch at all"),
        ({}, {"allow_shrink": True}, "no branch at all"),
        ({"main": "a"}, {"branches_before": 3}, "had 3"),
        ({"main": "a"}, {"branches_before": 3, "allow_shrink": True}, None),
        ({"main": "a"}, {"branches_before": 2}, None),
        ({"main": "a"}, {"branches_before": 1}, None),
        (
            MAIN,
            {"remote": "git.test/me/shop", "remotes_before": {"git.test/us/shop"}},
            "the branches of git.test/me/shop",
        ),
        (MAIN, {"remote": "git.test/me/shop", "remotes_before": {"git.test/us/shop"}, "allow_remote": True}, None),
        (MAIN, {"remote": "git.test/us/shop", "remotes_before": {"git.test/us/shop"}}, None),
        (MAIN, {"remote": "git.test/us/shop"}, None),
        (MAIN, {"remotes_before": {"git.test/us/shop"}}, None),
        # Tags are no sign of a whole answer.
        (TAGS, {"branches": 0}, "no branch at all"),
        (TAGS, {"branches": 0, "allow_shrink": True}, "no branch at all"),
        (TAGS | MAIN, {"branches": 1, "branches_before": 20}, "has 1 branches, and had 20"),
        (TAGS | MAIN, {"branches": 1, "branches_before": 20, "allow_shrink": True}, None),
        (TAGS | MAIN, {"branches": 1, "branches_before": 2}, None),
        # Nor are fewer tags one of a broken answer.
        (MAIN, {"branches": 1, "branches_before": 1, "refs_before": 1001}, None),
        # An older version remembered both: they are compared with both.
        (TAGS | MAIN, {"branches": 1, "refs_before": 1020}, None),
        (MAIN, {"branches": 1, "refs_before": 1020}, "has 1 branches and tags, and had 1020"),
        (MAIN, {"branches": 1, "refs_before": 1020, "allow_shrink": True}, None),
    ],
)
def test_an_answer_that_looks_wrong_deletes_nothing(
    refs: dict[str, str] | None, more: dict[str, Any], sentence: str | None
) -> None:
    plan = decide(facts(things("feature/gone", *Kind), refs, tombstones=(tombstone("feature/gone", 99),), **more))
    if sentence is None:
        assert plan.refused is None
        assert plan.entries
    else:
        assert plan.refused is not None
        assert sentence in plan.refused
        assert plan.entries == ()


def tombstone(ref: str, days: int) -> Tombstone:
    return Tombstone(project=PROJECT, ref=ref, tip=None, destroyed=NOW - timedelta(days=days), run="r")


@pytest.mark.parametrize(
    ("kinds", "refs", "live", "freed"),
    [
        ([Kind.LEASE], MAIN, frozenset[str](), True),
        ([Kind.LEASE], MAIN, frozenset({"feature/x"}), False),
        ([Kind.LEASE], {"feature/x": "b"}, frozenset[str](), False),
        ([Kind.LEASE, Kind.NAMESPACE], MAIN, frozenset[str](), False),  # goes with its environment
    ],
)
def test_a_dead_runs_lease_is_freed(kinds: list[Kind], refs: dict[str, str], live: frozenset[str], freed: bool) -> None:
    plan = decide(facts(things("feature/x", *kinds), refs, live=live))
    assert ((Deed.FREE_LEASE, "feature/x") in done(plan)) == freed


@pytest.mark.parametrize(("days", "forgotten"), [(29, False), (31, True)])
@pytest.mark.parametrize("refs", [MAIN, {"feature/x": "b"}])
def test_a_tombstone_is_forgotten_when_nothing_can_be_late_any_more(
    days: int, forgotten: bool, refs: dict[str, str]
) -> None:
    plan = decide(facts(things("feature/x", Kind.TOMBSTONE), refs, tombstones=(tombstone("feature/x", days),)))
    assert done(plan) == ([(Deed.FORGET_TOMBSTONE, "feature/x")] if forgotten else [])


GONE = Entry(Deed.DESTROY, "feature/x", "", (), None)
IDLE = Entry(Deed.DESTROY, "feature/x", "", (), "b", record("feature/x", timedelta(days=20)))


@pytest.mark.parametrize(
    ("entry", "tip", "now", "still"),
    [
        (GONE, None, None, True),
        (GONE, "c", None, False),
        (IDLE, "b", IDLE.record, True),
        (IDLE, "c", IDLE.record, False),
        (IDLE, None, IDLE.record, False),
        (IDLE, "b", None, False),
        (IDLE, "b", record("feature/x", timedelta(0)), False),
        (IDLE, "b", record("feature/x", timedelta(days=20), keep_until=NOW), False),
    ],
)
def test_an_entry_is_done_only_while_it_is_still_true(
    entry: Entry, tip: str | None, now: Record | None, still: bool
) -> None:
    assert (changed(entry, tip, now) is None) == still


# --- whatever the facts are -------------------------------------------------------------------------------------------

REFS = [f"{first}/{last}" for first in ("feature", "short", "release", "nobody") for last in ("a", "b", "c")]


@st.composite
def worlds(draw: st.DrawFn) -> Facts:
    refs = draw(st.none() | st.dictionaries(st.sampled_from([*REFS, "main"]), st.sampled_from(["b", "c"])))
    items = [
        item
        for ref in draw(st.sets(st.sampled_from(REFS)))
        for item in things(ref, *draw(st.sets(st.sampled_from(Kind))))
    ]
    items += draw(st.lists(st.builds(Item, st.sampled_from(Kind), st.sampled_from(["shop_x", "y"]), st.none())))
    records = [
        record(ref, timedelta(hours=draw(st.integers(0, 2000))), environment_class=draw(st.none() | st.just("release")))
        for ref in draw(st.sets(st.sampled_from(REFS)))
    ]
    stones = tuple(
        tombstone(item.owner.ref, draw(st.integers(0, 60)))
        for item in items
        if item.kind is Kind.TOMBSTONE and item.owner
    )
    return facts(
        items,
        refs,
        *records,
        tombstones=stones,
        branches=draw(st.integers(0, len(refs or ()))),
        branches_before=draw(st.none() | st.integers(0, 30)),
        allow_shrink=draw(st.booleans()),
        remote=draw(st.sampled_from([None, "a", "b"])),
        remotes_before=frozenset(draw(st.sets(st.sampled_from(["a", "c"])))),
        allow_remote=draw(st.booleans()),
        live=frozenset(draw(st.sets(st.sampled_from(REFS)))),
    )


@given(worlds())
def test_a_collection_never_takes_what_it_must_not(facts: Facts) -> None:
    plan = decide(facts)
    refs = facts.refs or {}
    before = facts.branches_before or 0
    known = not facts.remote or not facts.remotes_before or facts.remote in facts.remotes_before
    other = not known and not facts.allow_remote
    if not refs or not facts.branches or other or (2 * facts.branches < before and not facts.allow_shrink):
        assert plan.refused is not None
        assert plan.entries == ()
        return
    for entry in plan.entries:
        assert all(item.owner == (PROJECT, entry.ref) for item in entry.items)
        assert entry.tip == refs.get(entry.ref)
        if entry.deed in (Deed.DESTROY, Deed.SLEEP):
            assert not entry.ref.startswith("release/")
        if entry.deed is Deed.DESTROY and entry.ref in refs:
            remembered = facts.inventory.records[entry.ref]
            assert remembered.pushed + timedelta(hours=36) <= NOW
    taken = [item for entry in plan.entries for item in entry.items]
    assert len(taken) == len(set(taken))
    assert {item.name for item in facts.inventory.items if item.owner is None} <= {
        note.subject.rsplit(" ", 1)[1] for note in plan.left_alone if " " in note.subject
    }


@given(worlds(), st.data())
def test_a_dry_run_says_what_the_real_one_does(facts: Facts, data: st.DataObject) -> None:
    plan = decide(facts)
    results = [ItemResult(data.draw(st.sampled_from(ItemOutcome)), "why") for _ in plan.entries]
    dry, real = (Collection.of(Collected(PROJECT, plan, results=it)).model_dump() for it in (None, results))
    assert [entry["outcome"] for entry in real["entries"]] == [result.outcome.value for result in results]
    for document in (dry, real):
        for key in Ending.model_fields:
            del document[key]
        for entry in document["entries"]:
            del entry["outcome"], entry["why"]
    assert dry == real
