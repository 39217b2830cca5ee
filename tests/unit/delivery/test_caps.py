"""How much there may be: a table of worlds and policies."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploytag.delivery.caps import Facts, Present, facts, idlest, refusal, uses
from deploytag.delivery.inventory.things import Connections, Inventory, Item, Kind, Owner
from deploytag.delivery.record import Record
from deploytag.settings import Policy

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PLAIN = {"secrets": [], "database": False, "migrations": False}
FULL = {"secrets": [], "database_key": "k", "limits": {"database_connections": 20, "load_balancers": 2}}


def policy(**caps: Any) -> Policy:
    return Policy.model_validate(
        {
            "cluster": {"server": "https://cluster.test:6443"},
            "caps": caps,
            "classes": {
                "feature": {"pattern": "feature/*", **FULL},
                "bug": {"pattern": "bug/*", **PLAIN},
                "main": {"pattern": "main", "protected": True, **PLAIN},
            },
        }
    )


def present(*refs: str) -> tuple[Present, ...]:
    return tuple(
        Present(ref, ref.partition("/")[0], NOW - timedelta(days=len(refs) - number)) for number, ref in enumerate(refs)
    )


THREE = present("feature/a", "bug/b", "main")


@pytest.mark.parametrize(
    ("caps", "environments", "connections", "ref", "said"),
    [
        ({}, THREE, None, "feature/x", None),
        ({"environments": 4}, THREE, None, "feature/x", None),
        ({"environments": 3}, THREE, None, "feature/x", "4 of 3 environments."),
        ({"environments": 3}, THREE, None, "feature/a", None),
        ({"environments": 1}, THREE, None, "main", None),
        ({"classes": {"feature": 1}}, THREE, None, "feature/x", "2 of 1 environments of the class feature"),
        ({"classes": {"feature": 1}}, THREE, None, "bug/x", None),
        ({"classes": {"bug": 0, "feature": 9}}, (), None, "bug/x", "1 of 0 environments of the class bug"),
        ({"load_balancers": 6}, THREE, None, "feature/x", None),
        ({"load_balancers": 5}, THREE, None, "feature/x", "6 of 5 load balancers"),
        ({"load_balancers": 5}, THREE, None, "bug/x", None),
        ({}, THREE, Connections(97, {"a": 20, "b": 57}), "feature/x", None),
        ({}, THREE, Connections(97, {"a": 20, "b": 58}), "feature/x", "98 of 97 database connections"),
        ({}, THREE, Connections(97, {"a": 20, "b": 90}), "bug/x", None),
        ({"database_connections": 500}, THREE, Connections(97, {"a": 90}), "feature/x", None),
        ({"database_connections": 50}, THREE, Connections(97, {"a": 40}), "feature/x", "60 of 50 database connections"),
        # By the classes' limits: of `feature` and `bug` each 2 processors, 2 GiB and 20 pods.
        ({"cpu": "8"}, THREE, None, "feature/x", None),
        ({"cpu": "7500m"}, THREE, None, "feature/x", "8 of 7.5 processors"),
        ({"memory": "8Gi"}, THREE, None, "bug/x", None),
        ({"memory": "8191Mi"}, THREE, None, "bug/x", "8 of 7.99 GiB of memory"),
        ({"memory": "8590M"}, THREE, None, "bug/x", None),
        ({"pods": 79}, THREE, None, "feature/x", "80 of 79 pods"),
        ({"pods": 1, "cpu": "1", "memory": "1"}, THREE, None, "main", None),
        ({"pods": 20, "cpu": "2"}, (Present("feature/hand", None, None),), None, "bug/x", "4 of 2 processors"),
        (
            {"environments": 3, "load_balancers": 1},
            THREE,
            None,
            "feature/x",
            "4 of 3 environments; with it there would be 6 of 1 load balancers",
        ),
    ],
)
def test_what_is_refused(
    caps: dict[str, Any], environments: tuple[Present, ...], connections: Connections | None, ref: str, said: str | None
) -> None:
    name = ref.partition("/")[0]
    found = refusal(ref, name, Facts(environments, connections), policy(**caps))
    assert (found is None) == (said is None)
    if said is not None:
        assert found is not None
        assert said in found
        assert "Nothing was made" in found
        assert "deploytag destroy" in found


def test_the_idlest_are_listed_first_and_what_is_protected_is_not() -> None:
    fleet = present("main", *(f"feature/{letter}" for letter in "abcdefgh"))
    sleeper = Present("bug/z", "bug", NOW - timedelta(days=99), asleep=True)
    listed = idlest((*fleet, sleeper, Present("feature/hand", None, None)), policy())
    assert [it.ref for it in listed] == ["bug/z", "feature/a", "feature/b", "feature/c", "feature/d"]
    said = refusal("feature/x", "feature", Facts((*fleet, sleeper), None), policy(environments=5))
    assert said is not None
    assert "bug/z, pushed 2025-11-22 12:00 UTC, asleep\n" in said
    # Only those without which there would be room.
    said = refusal("feature/x", "feature", Facts((*fleet, sleeper), None), policy(classes={"feature": 8}))
    assert said is not None
    assert "feature/a, pushed" in said
    assert "bug/z" not in said
    said = refusal("feature/x", "feature", Facts((*fleet, sleeper), Connections(9, {})), policy())
    assert said is not None
    assert "bug/z" not in said


def test_what_exists_and_what_is_being_made_both_count() -> None:
    def record(ref: str) -> Record:
        return Record(
            project="shop", ref=ref, stack="s", namespace="n", environment_class="feature", pushed=NOW, asleep=False
        )

    items = (
        Item(Kind.NAMESPACE, "a", Owner("shop", "feature/a")),
        Item(Kind.NAMESPACE, "hand", Owner("shop", "bug/hand")),
        Item(Kind.RECORD, "b", Owner("shop", "feature/b")),
        Item(Kind.RECORD, "new", Owner("shop", "feature/new")),
        Item(Kind.LEASE, "c", Owner("shop", "feature/c")),
        Item(Kind.BACKUP, "d", Owner("shop", "feature/d")),
    )
    records = {ref: record(ref) for ref in ("feature/a", "feature/b", "feature/new")}
    server = Connections(97, {"shop_feature_a": 20, "other_x": 5})
    known = facts("shop", Inventory(items, records), server, policy(), newcomer="feature/new")
    assert [(it.ref, it.class_name) for it in known.environments] == [
        ("bug/hand", "bug"),
        ("feature/a", "feature"),
        ("feature/b", "feature"),
    ]
    assert known.unmade == 20, "of feature/b, whose role is not there yet"
    shown = [str(use) for use in uses(known, policy(environments=50, classes={"feature": 9}))]
    assert shown == [
        "3 of 50 environments",
        "2 of 9 environments of the class feature",
        "45 of 97 database connections",
    ]
    capped = policy(load_balancers=9, cpu="16", memory="1Ti", pods=100)
    assert [str(use) for use in uses(known, capped)][1:-1] == [
        "5 of 9 load balancers",
        "6 of 16 processors",
        "6 of 1024 GiB of memory",
        "60 of 100 pods",
    ]


@given(st.integers(0, 30), st.integers(1, 30))
def test_a_cap_is_reached_and_never_passed(there: int, cap: int) -> None:
    fleet = present(*(f"bug/{number}" for number in range(there)))
    said = refusal("bug/new", "bug", Facts(fleet, None), policy(environments=cap))
    assert (said is None) == (there < cap)
