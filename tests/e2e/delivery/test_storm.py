"""One round of the storm; `make soak` has the long one."""

import random
from pathlib import Path

import pytest

from tests.e2e.delivery.pushing import pushing
from tests.e2e.delivery.storm import Storm
from tests.e2e.names import own

pytestmark = pytest.mark.e2e


def test_after_a_round_the_world_is_what_git_says(tmp_path: Path) -> None:
    with pushing(tmp_path) as it:
        it.small()
        storm = Storm(it, tmp_path, [own("feature/storm-a"), own("feature/storm-b")])
        storm.round(random.Random(random.random()), most=4)
