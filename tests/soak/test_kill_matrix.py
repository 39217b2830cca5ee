"""Every cell of the kill matrix: each scenario, each death, after each event. Hours; `make soak`.

It may be interrupted: cells that are in the results already are not tried again.
"""

import itertools
import os
from pathlib import Path

import pytest

from tests.e2e.delivery.matrix import Death, Scenario, trial
from tests.e2e.delivery.pushing import pushing
from tests.soak.results import RESULTS, written

pytestmark = pytest.mark.soak

STEP = int(os.environ.get("SOAK_STEP", "1"))
"""Every so many events."""
CELLS = RESULTS / "kill-matrix.jsonl"
FAILURES = RESULTS / "kill-matrix-failures.txt"
"""What an interrupted run has seen fail: it never comes to say so."""
MOST_FAILURES = 5
"""Of one scenario and death, before the rest of them is not tried."""


@pytest.mark.parametrize("scenario", Scenario)
@pytest.mark.parametrize("death", Death)
def test_every_event(tmp_path: Path, scenario: Scenario, death: Death) -> None:
    RESULTS.mkdir(exist_ok=True)
    ref = f"feature/matrix-{scenario.name}-{death.name}".lower()
    with pushing(tmp_path) as it:
        it.small()
        known = tried(scenario, death)
        failures: dict[int, AssertionError] = {}
        for event in itertools.count(1, STEP):
            if event in known:
                continue
            try:
                cell = trial(it, ref, scenario, death, event)
            except AssertionError as failure:
                failures[event] = failure
                with FAILURES.open("a") as lines:
                    lines.write(f"{scenario}, {death}, after event {event}: {failure}\n\n")
                it.deploytag("destroy", ref)
                if len(failures) == MOST_FAILURES:
                    break
                continue
            if cell is None:
                break
            cell.append_to(CELLS)
            if scenario is Scenario.FIRST:
                it.report("destroy", ref)
        assert event > STEP
        assert not failures, "\n\n".join(f"after event {event}: {failure}" for event, failure in failures.items())


def tried(scenario: Scenario, death: Death) -> set[int]:
    """The events of which an earlier, interrupted run of the matrix has written down what happened."""
    return {cell["event"] for cell in written(CELLS) if (cell["scenario"], cell["death"]) == (scenario, death)}
