"""Runs the application's tests, which `deploytag.yaml` names, with nothing in reach that they could harm."""

import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from shlex import join

from deploytag.credentials import stripped
from deploytag.delivery.processes.cancellation import Cancellation
from deploytag.delivery.processes.children import CannotStartError, Children, Stop
from deploytag.delivery.run import Run
from deploytag.errors import FailedTestsError, InterruptedRunError
from deploytag.settings import SETTINGS_FILE, Tests

GRACE = 5
"""Seconds between asking the tests to end and ending them."""


def run_tests(
    tests: Tests,
    root: Path,
    environ: Mapping[str, str],
    cancellation: Cancellation | None = None,
    run: Run | None = None,
    *,
    say: Callable[[str], None] | None = None,
) -> None:
    """Run the tests at `root`; nothing they started outlives them. `run`: the one they are of.

    `say` gets each line of their output; without, it is this process's own, for a person who has a terminal.

    Raises:
        FailedTestsError: they failed, did not end in time or cannot be started.
        InterruptedRunError: the cancellation was requested.
    """
    command = join(tests.command)
    children = Children(run, stripped(environ), grace=GRACE, linger=0)
    try:
        finished = children.run(
            tests.command,
            cwd=root,
            cancellation=cancellation,
            timeout=tests.timeout,
            on_line=say,
            inherit=say is None,
        )
    except CannotStartError as error:
        raise FailedTestsError(
            f"the tests cannot be started ({command}): {error.reason}. `tests.command` in {SETTINGS_FILE} names them."
        ) from None
    if finished.stopped is Stop.TIMEOUT:
        raise FailedTestsError(
            f"the tests ({command}) have not ended within {tests.timeout} s and were stopped; nothing was touched. "
            f"`tests.timeout` in {SETTINGS_FILE} gives them longer."
        )
    if cancellation and cancellation.requested:
        raise InterruptedRunError(f"the tests were stopped ({cancellation.reason}): {command}; nothing was touched.")
    if code := finished.code:
        how = f"exit code {code}" if code > 0 else f"ended by {signal.Signals(-code).name}"
        raise FailedTestsError(f"the tests failed ({how}): {command}; nothing was touched.")
