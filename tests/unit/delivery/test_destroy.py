"""What must not be removed, and what is protected."""

import pytest

from deploytag.delivery.inventory.things import Item, Kind, Owner
from deploytag.delivery.removal.destroy import protection
from deploytag.delivery.removal.sweep import Leftover, hindrance
from deploytag.identity import identify
from deploytag.settings import EnvironmentClass

OURS = identify("shop", "feature/test")
OWNER = Owner("shop", "feature/test")
OPEN = EnvironmentClass(pattern="feature/*", secrets=(), database=False, migrations=False)
PROTECTED = EnvironmentClass(pattern="release/*", secrets=(), database=False, migrations=False, protected=True)
STATE = {"resources": [{"urn": "u::shop", "type": "x:y:Database", "custom": True, "protect": True}]}


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("owner", [None, Owner("shop", "bug/other"), Owner("shop2", "feature/test")])
def test_what_is_not_provably_its_own_is_never_removed(kind: Kind, owner: Owner | None) -> None:
    assert hindrance(OURS, Item(kind, "it", owner, "why"), []) is not None


@pytest.mark.parametrize(
    ("kind", "left", "kept"),
    [
        (Kind.ROLE, [Kind.DATABASE], True),
        (Kind.LEDGER, [Kind.DATABASE], True),
        (Kind.LEDGER, [Kind.ROLE], True),
        (Kind.LEDGER, [Kind.NAMESPACE], False),
        (Kind.DATABASE, [Kind.NAMESPACE], False),
        (Kind.STACK, [Kind.NAMESPACE], False),
        (Kind.RECORD, [Kind.NAMESPACE], True),
        (Kind.RECORD, [], False),
    ],
)
def test_what_proves_whose_the_rest_is_goes_last(kind: Kind, left: list[Kind], kept: bool) -> None:
    before = [Leftover(Item(it, "x", OWNER), "held") for it in left]
    assert (hindrance(OURS, Item(kind, "it", OWNER), before) is not None) == kept


@pytest.mark.parametrize(
    ("cls", "document", "sentence"),
    [
        (OPEN, None, None),
        (None, None, None),
        (OPEN, {"resources": []}, None),
        (PROTECTED, None, "release/*"),
        (OPEN, STATE, "Database shop"),
        (None, STATE, "Database shop"),
    ],
)
def test_class_and_state_protect(
    cls: EnvironmentClass | None, document: dict[str, object] | None, sentence: str | None
) -> None:
    why = protection(OURS, cls, document)
    assert (why is None) if sentence is None else (why is not None and sentence in why)
