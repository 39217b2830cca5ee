"""The long storm: 200 rounds of up to 10 events over 5 branches. `SOAK_ROUNDS` and `SOAK_SEED` make it another."""

import json
import os
import random
import time
from pathlib import Path

import pytest

from tests.e2e.delivery.pushing import pushing
from tests.e2e.delivery.storm import Storm
from tests.soak.test_kill_matrix import RESULTS

pytestmark = pytest.mark.soak

ROUNDS = int(os.environ.get("SOAK_ROUNDS", "200"))
SEED = int(os.environ.get("SOAK_SEED", "1"))


def test_the_storm(tmp_path: Path) -> None:
    RESULTS.mkdir(exist_ok=True)
    dice = random.Random(SEED)
    with pushing(tmp_path) as it, (RESULTS / "storm.jsonl").open("a") as results:
        it.small()
        storm = Storm(it, tmp_path, [f"feature/soak-{letter}" for letter in "abcde"])
        for number in range(ROUNDS):
            began, before = time.monotonic(), storm.number
            storm.round(dice, most=10)
            seconds = round(time.monotonic() - began, 1)
            line = {"seed": SEED, "round": number, "events": storm.number - before, "seconds": seconds}
            results.write(json.dumps(line) + "\n")
            results.flush()
