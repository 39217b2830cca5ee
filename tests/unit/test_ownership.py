"""Whose is it? Only what is provably ours may be touched."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploytag.identity import identify
from deploytag.ownership import (
    SERVER,
    DatabaseFacts,
    annotations,
    foreign_database,
    labels,
    ledger_annotations,
    ledger_entry,
    names,
    owns,
    said_by_ledger,
)
from deploytag.preflight.check import foreign
from deploytag.preflight.cluster import NamespaceFacts

OURS = identify("shop", "feature/test")
OTHER = identify("shop", "bug/other")
NOTHING = DatabaseFacts(owner=None, role_exists=False, ledger=None)


@given(project=st.from_regex(r"[A-Za-z0-9_.-]{1,100}", fullmatch=True))
def test_labels_are_valid_whatever_the_project_is_called(project: str) -> None:
    for value in labels(identify(project, "feature/test")).values():
        assert re.fullmatch(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?", value)
        assert len(value) <= 63


def test_a_namespace_is_ours_by_project_and_ref() -> None:
    assert owns(OURS, annotations(OURS))
    assert not owns(OURS, annotations(OTHER))
    assert not owns(OURS, {})
    assert not owns(OURS, annotations(identify("shop2", "feature/test")))


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        (NOTHING, None),
        (DatabaseFacts(None, False, ledger_entry(OURS)), None),
        (DatabaseFacts(OURS.role, True, ledger_entry(OURS)), None),
        (DatabaseFacts(None, True, ledger_entry(OURS)), None),
        (DatabaseFacts("postgres", False, ledger_entry(OURS)), "belongs to the role postgres"),
        (DatabaseFacts(OURS.role, True, None), "the ledger in deploytag-system does not name it"),
        (
            DatabaseFacts(OURS.role, True, ledger_entry(OTHER)),
            "the ledger in deploytag-system does not name it",
        ),
        (DatabaseFacts(None, True, None), "the role shop_feature_test exists"),
    ],
)
def test_a_database_is_ours_by_owner_and_ledger(facts: DatabaseFacts, sentence: str | None) -> None:
    complaint = foreign_database(OURS, facts)
    assert (complaint is None) if sentence is None else (complaint is not None and sentence in complaint)


@pytest.mark.parametrize(
    ("namespace", "needs_database", "sentence"),
    [
        (NamespaceFacts(None, None, True), True, None),
        (NamespaceFacts(annotations(OURS), None, True), True, None),
        (NamespaceFacts({}, None, True), True, "name no branch"),
        (NamespaceFacts(annotations(OTHER), None, True), True, "deploytag.dev/ref: bug/other"),
        (NamespaceFacts(None, None, False), True, "kubectl create namespace deploytag-system"),
        (NamespaceFacts(None, None, False), False, None),
    ],
)
def test_what_a_run_refuses_to_touch(namespace: NamespaceFacts, needs_database: bool, sentence: str | None) -> None:
    complaint = foreign(OURS, namespace, NOTHING, needs_database=needs_database)
    assert (complaint is None) if sentence is None else (complaint is not None and sentence in complaint)


@pytest.mark.parametrize(
    ("annotations", "server"),
    [(ledger_annotations(OURS, "db.test:5432"), {SERVER: "db.test:5432"}), (annotations(OURS), {}), (None, {})],
)
def test_what_a_ledgers_entry_says(annotations: dict[str, str] | None, server: dict[str, str]) -> None:
    """Where the database is says an annotation alone: data cannot be changed in place."""
    entry = {"metadata": {"annotations": annotations}, "data": {**ledger_entry(OURS), SERVER: "made up"}}
    said = said_by_ledger(entry)
    assert said == {**ledger_entry(OURS), **server}
    assert names(said, OURS)
    assert not names(said, OTHER)
