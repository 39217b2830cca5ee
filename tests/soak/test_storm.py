"""The long storm: 200 rounds of up to 10 events over 5 branches. `SOAK_ROUNDS` and `SOAK_SEED` make it another, and
`SOAK_FIRST` leaves out the rounds before it: seed and number decide what happens in a round.

It may be interrupted: it goes on after the rounds that are in the results already, from branches that are not there.
Storms of different seeds have branches of their own, so they may run side by side.
"""

import json
import os
import random
import time
from pathlib import Path

import pytest

from tests.e2e.delivery.pushing import pushing
from tests.e2e.delivery.storm import Storm
from tests.soak.results import RESULTS, written

pytestmark = pytest.mark.soak

FIRST = int(os.environ.get("SOAK_FIRST", "0"))
ROUNDS = int(os.environ.get("SOAK_ROUNDS", "200"))
SEED = int(os.environ.get("SOAK_SEED", "1"))
STORM = RESULTS / "storm.jsonl"


def test_the_storm(tmp_path: Path) -> None:
    RESULTS.mkdir(exist_ok=True)
    with pushing(tmp_path) as it:
        it.small()
        storm = Storm(it, tmp_path, [f"feature/soak-{SEED}-{letter}" for letter in "abcde"])
        for number in range(max(FIRST, ended(SEED)), ROUNDS):
            began, before = time.monotonic(), storm.number
            storm.round(random.Random(f"{SEED}, {number}"), most=10)
            seconds = round(time.monotonic() - began, 1)
            line = {"seed": SEED, "round": number, "events": storm.number - before, "seconds": seconds}
            with STORM.open("a") as results:
                results.write(json.dumps(line) + "\n")


def ended(seed: int) -> int:
    """The round to go on with, by what an earlier, interrupted run of this storm has written down."""
    return max((line["round"] + 1 for line in written(STORM) if line["seed"] == seed), default=0)
