"""What a record says while a run works, whenever that run dies."""

from datetime import UTC, datetime

import pytest

from deploytag.delivery.record import Attempt, Record
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
