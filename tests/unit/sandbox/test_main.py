"""How `python -m sandbox` ends when it is told to."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

# A build that takes its time, in place of `up`.
SCRIPT = """
import sandbox.__main__, sandbox.lifecycle
from sandbox.command import run

def up(*_):
    run(["sh", "-c", "echo $$; exec sleep 600"], doing="Building", log="build")

sandbox.lifecycle.up = up
sandbox.__main__.main()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_no_build_outlives_the_command(tmp_path: Path, number: signal.Signals) -> None:
    log = tmp_path / "logs" / "build.log"
    log.parent.mkdir()
    os.mkfifo(log)
    command = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, "up"],
        env=os.environ | {"DEPLOYTAG_CACHE": str(tmp_path)},
        stderr=subprocess.PIPE,
        text=True,
    )
    with log.open() as output:
        build = psutil.Process(int(output.readline()))
        command.send_signal(number)
        _, said = command.communicate(timeout=30)
        build.wait(timeout=30)
    assert command.returncode != 0
    assert "Traceback" not in said


@pytest.mark.parametrize(("before", "ends"), [((), True), (("nohup",), False)])
def test_what_nohup_ignores_stays_ignored(before: tuple[str, ...], ends: bool) -> None:
    script = "import signal, sandbox.__main__ as it; it.interruptible(); signal.raise_signal(signal.SIGHUP)"
    done = subprocess.run([*before, sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert ("KeyboardInterrupt" in done.stderr) == ends, done.stderr
