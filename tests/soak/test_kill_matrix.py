"""Every cell of the kill matrix: each scenario, each death, after each event. Hours; `make soak`."""

import os
from pathlib import Path

import pytest

from tests.e2e.delivery.matrix import Death, Scenario, trial
from tests.e2e.delivery.pushing import pushing

pytestmark = pytest.mark.soak

STEP = int(os.environ.get("SOAK_STEP", "1"))
"""Every so many events."""
RESULTS = Path(os.environ.get("SOAK_RESULTS", "soak-results"))


@pytest.mark.parametrize("scenario", Scenario)
@pytest.mark.parametrize("death", Death)
def test_every_event(tmp_path: Path, scenario: Scenario, death: Death) -> None:
    RESULTS.mkdir(exist_ok=True)
    ref = f"feature/matrix-{scenario.name}-{death.name}".lower()
    with pushing(tmp_path) as it:
        it.small()
        event = 1
        while (cell := trial(it, ref, scenario, death, event)) is not None:
            cell.append_to(RESULTS / "kill-matrix.jsonl")
            if scenario is Scenario.FIRST:
                it.report("destroy", ref)
            event += STEP
        assert event > STEP
