"""Run a program of the set-up: its output goes to a log; a failure is a sentence and the log's last lines."""

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from sandbox import paths
from sandbox.errors import SandboxError

LAST_LINES = 15
STOP_SECONDS = 10
# KILL: unshare(1) lets TERM pass by, and ends what it contains when it is killed.
_TIE = ("setpriv", "--pdeathsig", "KILL")


def run(
    command: Sequence[str | Path],
    *,
    doing: str,
    log: str,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float | None = None,
    advice: str = "",
    tied: bool = True,
) -> None:
    """Run `command`; raise SandboxError ("<doing> failed ...") when it does not succeed within `timeout` seconds.

    `tied`: when this process is killed, so is the program. Not for one that must not end halfway.
    """
    program = str(command[0])
    if not shutil.which(program, path=(env or os.environ).get("PATH")):
        raise SandboxError(f"{doing} failed: there is no program {program} on PATH. {advice}".strip())
    log_file = paths.cache() / "logs" / f"{log}.log"
    log_file.parent.mkdir(parents=True, exist_ok=True)
    with log_file.open("wb") as output:
        # A process group of its own, so that nothing it started outlives an interrupt or a timeout.
        process = subprocess.Popen(
            [*(_TIE if tied else ()), *map(str, command)],
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired as error:
            _stop(process)
            raise _failure(doing, f"nothing came of it in {timeout:.0f} s", log_file, advice) from error
        except BaseException:
            _stop(process)
            raise
    if code != 0:
        raise _failure(doing, f"{Path(program).name} ended with code {code}", log_file, advice)


def last_lines(text: str, count: int = LAST_LINES) -> str:
    """The end of a log, indented; the blank lines in it say nothing."""
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    return "\n".join(f"    {line}" for line in lines[-count:])


def _failure(doing: str, what: str, log_file: Path, advice: str) -> SandboxError:
    shown = last_lines(log_file.read_text(errors="replace"))
    parts = (f"{doing} failed: {what}. {advice}".strip(), shown, f"The whole output is in {log_file}.")
    return SandboxError("\n".join(part for part in parts if part))


def _stop(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
