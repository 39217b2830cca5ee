"""A run dies anywhere; the same command, run again, converges, and so does a destruction: a few cells of the matrix."""

import random
from pathlib import Path

import pytest

from tests.e2e.delivery.matrix import Death, Scenario, trial
from tests.e2e.delivery.pushing import pushing
from tests.e2e.names import own

pytestmark = pytest.mark.e2e

# Which events depends on the seed of the run, which pytest-randomly prints: over many runs they are all met.
CELLS = [
    (Scenario.FIRST, Death.STOPPED, 40),
    (Scenario.UPDATE, Death.WRAPPER, 40),
    (Scenario.DESTROY, Death.ALL, 20),
    (Scenario.ABANDONED, Death.ALL, 40),
]


@pytest.mark.parametrize(("scenario", "death", "most"), CELLS, ids=[f"{s.name}-{d.name}" for s, d, _ in CELLS])
def test_what_is_run_next_converges(tmp_path: Path, scenario: Scenario, death: Death, most: int) -> None:
    ref = own(f"feature/kill-{scenario.name.lower()}")
    with pushing(tmp_path) as it:
        it.small()
        assert trial(it, ref, scenario, death, random.randint(1, most)) is not None
