"""What must not be removed, what is protected, and what ends a removal."""

from typing import Any

import pytest

from deploytag.delivery.cluster import Cluster
from deploytag.delivery.inventory.look import Sources
from deploytag.delivery.inventory.things import Item, Kind, Owner
from deploytag.delivery.records import Records
from deploytag.delivery.removal.destroy import protection
from deploytag.delivery.removal.sweep import Leftover, Sweep, hindrance
from deploytag.errors import BusyError, DeployTagError, InterruptedRunError, UnreachableError
from deploytag.identity import identify
from deploytag.settings import EnvironmentClass
from tests.unit.delivery.fake_config_maps import Bare

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
        (Kind.BACKUP, [Kind.NAMESPACE], False),
        (Kind.RECORD, [Kind.BACKUP], True),
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


class OneStack:
    """A backend that holds nothing but the environment's empty stack."""

    def stacks(self, project: str) -> list[str]:
        return [OURS.stack]

    def removed(self, project: str) -> list[str]:
        return []

    def copies(self, project: str, stack: str) -> list[dict[str, Any]]:
        return []

    def checkpoint(self, project: str, stack: str) -> dict[str, Any]:
        return {}


def sweep(error: DeployTagError | None) -> tuple[Sweep, list[str]]:
    """One that removes a stack, and is told by `error` that it may not; and what it removed."""
    cluster, removed = Cluster(Bare()), list[str]()
    records = Records(cluster)

    def check() -> None:
        if error:
            raise error

    return Sweep(
        OURS, Sources(cluster, OneStack(), None, records), records, lambda: removed.append(OURS.stack), check
    ), removed


STACK = Item(Kind.STACK, OURS.stack, OWNER)


def test_what_is_its_own_is_removed() -> None:
    it, removed = sweep(None)
    assert it.remove([STACK]) == []
    assert removed == [OURS.stack]


@pytest.mark.parametrize("error", [BusyError("the lease is lost"), InterruptedRunError("stopped by SIGTERM")])
def test_who_may_not_go_on_does_not(error: DeployTagError) -> None:
    """It is no reason why a thing is left, which a run would report and go on to the next one."""
    it, removed = sweep(error)
    with pytest.raises(type(error)):
        it.remove([STACK])
    assert removed == []


def test_what_cannot_be_removed_is_named_with_the_reason() -> None:
    it, _ = sweep(UnreachableError("PostgreSQL does not answer"))
    assert it.remove([STACK]) == [Leftover(STACK, "PostgreSQL does not answer")]
