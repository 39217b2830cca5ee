"""For every test."""

import random
import signal
from collections import defaultdict

import pytest


def _hang_up(*_: object) -> None:
    """Nothing: who started the suite with `nohup` wants it to go on."""


def pytest_configure() -> None:
    """Let the programs that tests start see signals, whoever started the suite.

    A job in the background ignores SIGINT and one under `nohup` SIGHUP, and so would every program it starts. Programs
    inherit what is ignored; what is handled is back at its default for them.
    """
    signal.signal(signal.SIGHUP, _hang_up)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--all` runs also what is otherwise only sampled; `--write-docs` writes what tests say in the documentation."""
    parser.addoption("--all", action="store_true", help="run every long test, not a sample of each kind")
    parser.addoption("--write-docs", action="store_true", help="write the tables in docs/ that tests are the source of")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of the tests marked `sampled(n)`, run n of each module: the run's seed says which, so in time all are met."""
    if config.getoption("--all"):
        return
    groups: dict[tuple[str, int], list[str]] = defaultdict(list)
    for item in items:
        if marker := item.get_closest_marker("sampled"):
            groups[item.location[0], marker.args[0]].append(item.nodeid)
    dice = random.Random(config.getoption("randomly_seed", 0))
    # Sorted: every worker has to choose the same.
    kept = {
        name
        for (_, number), names in sorted(groups.items())
        for name in dice.sample(sorted(names), min(number, len(names)))
    }
    left_out = [item for item in items if item.get_closest_marker("sampled") and item.nodeid not in kept]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture
def every(request: pytest.FixtureRequest) -> bool:
    """Whether all is to be run, for a test that samples what it tries itself."""
    return bool(request.config.getoption("--all"))
