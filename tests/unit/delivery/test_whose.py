"""Whose is each thing? Only what bears its owner's name as well as its annotations is anybody's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploytag.delivery.inventory import whose
from deploytag.delivery.inventory.things import Item, Kind, Owner, Server
from deploytag.delivery.inventory.whose import AddressFacts, LeaseFacts, LedgerFacts, NamespaceFacts, VolumeFacts
from deploytag.identity import identify
from deploytag.ownership import SERVER as ON
from deploytag.ownership import annotations, ledger_entry

OURS = identify("shop", "feature/test")
OTHER = identify("shop", "bug/other")
THEIRS = identify("shop2", "feature/test")
OWNER = Owner("shop", "feature/test")
DB = "db.test:5432"
ENTRY = LedgerFacts(OURS.namespace, {**ledger_entry(OURS), ON: DB})
SERVER = Server({OURS.database: OURS.role}, frozenset({OURS.role}))


@pytest.mark.parametrize(
    ("facts", "owner"),
    [
        (NamespaceFacts(OURS.namespace, annotations(OURS), "Active"), OWNER),
        (NamespaceFacts(OURS.namespace, {}, "Active"), None),
        (NamespaceFacts(OURS.namespace, annotations(OTHER), "Active"), None),
        (NamespaceFacts(OURS.namespace, annotations(THEIRS), "Active"), None),
        # copied by hand, with its annotations
        (NamespaceFacts("playground", annotations(OURS), "Active"), None),
        (NamespaceFacts(OURS.namespace, {**annotations(OURS), "deploytag.dev/ref": "..bad"}, "Active"), None),
    ],
)
def test_a_namespace_is_its_annotations_owners_when_it_bears_that_name(
    facts: NamespaceFacts, owner: Owner | None
) -> None:
    assert whose.namespace(facts).owner == owner


@given(
    project=st.from_regex(r"[A-Za-z][A-Za-z0-9_.-]{0,20}", fullmatch=True),
    ref=st.from_regex(r"[a-z]{1,8}/[A-Za-z0-9-]{1,12}", fullmatch=True).filter(lambda ref: not ref.endswith("-")),
    name=st.from_regex(r"[a-z][a-z0-9-]{0,30}", fullmatch=True),
)
def test_annotations_never_make_a_thing_of_another_name_anybodys(project: str, ref: str, name: str) -> None:
    identity = whose.known(project, ref)
    if identity is not None:
        found = whose.namespace(NamespaceFacts(name, annotations(identity), "Active"))
        assert (found.owner is not None) == (name == identity.namespace)


def test_an_address_is_its_namespaces() -> None:
    services = [AddressFacts(OURS.namespace, "web", "10.0.0.1"), AddressFacts("kube-system", "dns", "10.0.0.2")]
    found = whose.addresses(services, {OURS.namespace: OWNER})
    assert found == [Item(Kind.ADDRESS, f"{OURS.namespace}/web", OWNER, "10.0.0.1")]


@pytest.mark.parametrize(
    ("facts", "namespaces", "owner"),
    [
        pytest.param(VolumeFacts("pv", {}, OURS.namespace, "Bound"), {OURS.namespace: OWNER}, OWNER, id="claimed"),
        pytest.param(VolumeFacts("pv", annotations(OURS), OURS.namespace, "Released"), {}, OWNER, id="marked"),
        pytest.param(VolumeFacts("pv", {}, OURS.namespace, "Released"), {}, None, id="unmarked"),
        pytest.param(VolumeFacts("pv", annotations(OTHER), OURS.namespace, "Released"), {}, None, id="others mark"),
    ],
)
def test_a_volume_is_whose_namespace_claims_it_or_who_marked_it(
    facts: VolumeFacts, namespaces: dict[str, Owner], owner: Owner | None
) -> None:
    (found,) = whose.volumes([facts], namespaces, frozenset({OURS.namespace}))
    assert found.owner == owner


def test_a_volume_of_no_interest_is_no_item() -> None:
    facts = [VolumeFacts("pv", {}, "elsewhere", "Bound"), VolumeFacts("free", {}, None, "Available")]
    assert whose.volumes(facts, {}, frozenset({OURS.namespace})) == []


@pytest.mark.parametrize(
    ("entry", "server", "owners"),
    [
        (ENTRY, SERVER, {Kind.LEDGER: OWNER, Kind.DATABASE: OWNER, Kind.ROLE: OWNER}),
        (ENTRY, None, {Kind.LEDGER: OWNER}),
        (ENTRY, Server({}, frozenset()), {Kind.LEDGER: OWNER}),
        (ENTRY, Server({}, frozenset({OURS.role})), {Kind.LEDGER: OWNER, Kind.ROLE: OWNER}),
        (None, SERVER, {Kind.DATABASE: None, Kind.ROLE: None}),
        (
            ENTRY,
            Server({OURS.database: "postgres"}, frozenset({OURS.role})),
            {Kind.LEDGER: OWNER, Kind.DATABASE: None, Kind.ROLE: None},
        ),
        (
            LedgerFacts(OURS.namespace, {**ledger_entry(OTHER), ON: DB}),
            SERVER,
            {Kind.LEDGER: None, Kind.DATABASE: None, Kind.ROLE: None},
        ),
        (None, None, {}),
    ],
)
def test_a_database_is_ours_when_owner_and_ledger_agree(
    entry: LedgerFacts | None, server: Server | None, owners: dict[Kind, Owner | None]
) -> None:
    assert {item.kind: item.owner for item in whose.databases_of(OURS, entry, server)} == owners


@pytest.mark.parametrize(
    ("made_on", "server", "elsewhere"),
    [
        (DB, Server({}, frozenset(), DB), False),
        (DB, Server({}, frozenset(), "other.test:5432"), True),
        (DB, Server({}, frozenset({OURS.role}), "other.test:5432"), False),  # another name of the same server
        (DB, Server({OURS.database: OURS.role}, frozenset({OURS.role}), "other.test:5432"), False),
        (DB, None, False),
        ("", Server({}, frozenset(), "other.test:5432"), True),
    ],
)
def test_a_database_on_another_server_is_not_gone(made_on: str, server: Server | None, elsewhere: bool) -> None:
    entry = LedgerFacts(OURS.namespace, {**ledger_entry(OURS), ON: made_on})
    found = next(it for it in whose.databases_of(OURS, entry, server) if it.kind is Kind.LEDGER)
    assert found.owner == OWNER
    assert (f"is on {made_on}, and PGHOST names other.test:5432" in found.detail) == elsewhere
    assert bool(found.detail) == elsewhere


def test_an_entry_that_names_no_server_says_nothing_of_one() -> None:
    """As entries of before had it."""
    entry = LedgerFacts(OURS.namespace, ledger_entry(OURS))
    [found] = whose.databases_of(OURS, entry, Server({}, frozenset(), DB))
    assert (found.owner, found.detail) == (OWNER, "")


def test_the_databases_of_a_project_are_those_of_its_ledger_and_what_looks_like_them_is_named() -> None:
    server = Server(
        {
            OURS.database: OURS.role,
            THEIRS.database: THEIRS.role,
            "shop_feature_lost": "shop_feature_lost",
            "shop_reports": "analyst",
            "postgres": "postgres",
        },
        frozenset({OURS.role, THEIRS.role, "shop_feature_lost"}),
    )
    ledger = [ENTRY, LedgerFacts(THEIRS.namespace, {**ledger_entry(THEIRS), ON: DB})]
    found = {(item.kind, item.name): item.owner for item in whose.all_databases("shop", ledger, server)}
    assert found == {
        (Kind.LEDGER, OURS.namespace): OWNER,
        (Kind.DATABASE, OURS.database): OWNER,
        (Kind.ROLE, OURS.role): OWNER,
        (Kind.DATABASE, "shop_feature_lost"): None,
    }


def test_a_project_whose_name_begins_like_ours_keeps_its_databases_unnamed() -> None:
    neighbour = identify("shop-feature", "bug/x")
    assert neighbour.database.startswith("shop_")
    server = Server({neighbour.database: neighbour.role}, frozenset({neighbour.role}))
    ledger = [LedgerFacts(neighbour.namespace, {**ledger_entry(neighbour), ON: DB})]
    assert whose.all_databases("shop", ledger, server) == []


@pytest.mark.parametrize(
    ("name", "refs", "owner"),
    [
        ("feature-test", ["feature/test"], OWNER),
        ("feature-test", [None, "feature/test"], OWNER),
        ("feature-test", [None, None], None),
        # a state that was copied to another stack
        ("production", ["feature/test"], None),
    ],
)
def test_a_stack_is_of_the_ref_that_something_names(name: str, refs: list[str | None], owner: Owner | None) -> None:
    for kind in (Kind.STACK, Kind.BACKUP):
        assert (found := whose.stack(kind, "shop", name, refs)).owner == owner
        assert found.kind is kind


def test_a_lease_is_its_annotations_owners() -> None:
    assert whose.lease(LeaseFacts(OURS.namespace, annotations(OURS), "")).owner == OWNER
    assert whose.lease(LeaseFacts("kube-scheduler", annotations(OURS), "x")).owner is None
