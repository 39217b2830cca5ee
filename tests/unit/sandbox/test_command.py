import contextlib
from pathlib import Path

import psutil
import pytest

from sandbox import command
from sandbox.errors import SandboxError


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DEPLOYTAG_CACHE", str(tmp_path))
    return tmp_path


def test_output_goes_to_the_log(cache: Path) -> None:
    command.run(["sh", "-c", "echo out; echo err >&2"], doing="Trying", log="try")
    assert (cache / "logs" / "try.log").read_text() == "out\nerr\n"


def test_a_failure_says_what_failed_what_to_do_and_how_it_ended() -> None:
    script = "seq 100; exit 3"
    with pytest.raises(SandboxError) as caught:
        command.run(["sh", "-c", script], doing="Counting", log="count", advice="Count again.")
    first, *rest = str(caught.value).splitlines()
    assert first == "Counting failed: sh ended with code 3. Count again."
    assert rest[:2] == ["    86", "    87"]
    assert rest[-1].endswith("count.log.")


def test_a_program_that_does_not_exist_is_named() -> None:
    with pytest.raises(SandboxError, match="there is no program no-such-program on PATH"):
        command.run(["no-such-program"], doing="Trying", log="try")


def test_nothing_outlives_a_timeout(tmp_path: Path) -> None:
    script = f"sleep 600 & echo $! > {tmp_path}/pid; wait"
    with pytest.raises(SandboxError, match="nothing came of it in 1 s"):
        command.run(["sh", "-c", script], doing="Waiting", log="wait", timeout=1)
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(int((tmp_path / "pid").read_text())).wait(timeout=10)
