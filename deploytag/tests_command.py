"""Runs the application's tests, which `deploytag.yaml` names, with nothing in reach that they could harm."""

import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path
from shlex import join

from deploytag.errors import FailedTestsError
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


def run_tests(tests: Tests, root: Path, environ: Mapping[str, str]) -> None:
    """Run the tests at `root`, their output being ours; nothing they started outlives them.

    Raises:
        FailedTestsError: they failed, did not end in time or cannot be started.
    """
    command = join(tests.command)
    try:
        # A session of its own, so that it can be ended with all its children.
        process = subprocess.Popen(tests.command, cwd=root, env=stripped(environ), start_new_session=True)
    except OSError as error:
        raise FailedTestsError(
            f"the tests cannot be started ({command}): {error.strerror}. `tests.command` in {SETTINGS_FILE} names them."
        ) from None
    try:
        code = process.wait(tests.timeout)
    except subprocess.TimeoutExpired:
        raise FailedTestsError(
            f"the tests ({command}) have not ended within {tests.timeout} s and were stopped; nothing was touched. "
            f"`tests.timeout` in {SETTINGS_FILE} gives them longer."
        ) from None
    finally:
        _end(process)
    if code:
        how = f"exit code {code}" if code > 0 else f"ended by {signal.Signals(-code).name}"
        raise FailedTestsError(f"the tests failed ({how}): {command}; nothing was touched.")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the command and every process of its group: ask, then insist."""
    # The group is gone when nothing of it is left, which is how it usually is.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
