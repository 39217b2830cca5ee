"""Runs the application's tests, which `deploytag.yaml` names, with nothing in reach that they could harm."""

import signal
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from shlex import join

from deploytag.delivery.processes.cancellation import Cancellation
from deploytag.delivery.processes.children import CannotStartError, Children, Stop
from deploytag.delivery.run import Run
from deploytag.errors import FailedTestsError, InterruptedRunError
from deploytag.settings import SETTINGS_FILE, Tests

DROPPED = (
    # Where environments are, and who may change them.
    *("AWS_*", "PG*", "PULUMI_*", "KUBECONFIG", "DOCKER_*", "BUILDX_*", "BUILDKIT_*", "SSH_*"),
    # Whatever else is a secret by its name.
    *("*TOKEN*", "*SECRET*", "*PASSWORD*", "*PASSWD*", "*PASSPHRASE*", "*CREDENTIAL*", "*APIKEY*", "*_KEY", "*_KEY_*"),
)
"""Variables that tests do not see, whatever their case: code that nobody has read yet runs in them."""

GRACE = 5
"""Seconds between asking the tests to end and ending them."""


def stripped(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without what leads to services and without secrets. Pure."""
    return {
        name: value
        for name, value in environ.items()
        if not any(fnmatchcase(name.upper(), pattern) for pattern in DROPPED)
    }


def run_tests(
    tests: Tests,
    root: Path,
    environ: Mapping[str, str],
    cancellation: Cancellation | None = None,
    run: Run | None = None,
) -> None:
    """Run the tests at `root`, their output being ours; nothing they started outlives them. `run`: the one they are of.

    Raises:
        FailedTestsError: they failed, did not end in time or cannot be started.
        InterruptedRunError: the cancellation was requested.
    """
    command = join(tests.command)
    children = Children(run, stripped(environ), grace=GRACE, linger=0)
    try:
        finished = children.run(tests.command, cwd=root, cancellation=cancellation, timeout=tests.timeout, inherit=True)
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
