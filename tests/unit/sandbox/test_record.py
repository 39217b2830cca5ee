import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from sandbox import record
from sandbox.errors import SandboxError


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "RECORD", tmp_path / "record.json")


def of_this_process(directory: str = "/mine") -> record.Record:
    return record.new(Path(directory)).started(psutil.Process(os.getpid()))


def test_what_was_written_is_read() -> None:
    written = replace(of_this_process(), undo={"/proc/sys/x": "0"}, fingerprint="f")
    record.write(written)
    assert record.read() == written
    record.remove()
    assert record.read() is None


def test_the_process_of_a_reused_id_is_another_one() -> None:
    assert of_this_process().process()
    assert replace(of_this_process(), began=1).process() is None
    assert replace(of_this_process(), pid=0).process() is None


def test_a_record_from_before_a_reboot_means_nothing() -> None:
    record.write(replace(of_this_process(), boot="another"))
    assert record.read() is None


def test_another_directory_s_sandbox_is_named() -> None:
    with pytest.raises(SandboxError, match=r"from /theirs \(process"):
        record.refuse_foreign(of_this_process("/theirs"), Path("/mine"))


def test_a_dead_one_is_in_nobody_s_way() -> None:
    record.refuse_foreign(replace(of_this_process("/theirs"), began=1), Path("/mine"))
    record.refuse_foreign(None, Path("/mine"))


def test_garbage_is_a_sentence() -> None:
    record.RECORD.write_text("{")
    with pytest.raises(SandboxError, match="is not a record of a sandbox"):
        record.read()


def test_a_clock_that_is_set_makes_no_other_process(monkeypatch: pytest.MonkeyPatch) -> None:
    # A wall clock time is what psutil makes of the boot time, which moves when the clock is set.
    recorded = of_this_process()
    monkeypatch.setattr(psutil.Process, "create_time", lambda _: 1.0)
    assert recorded.process()


def test_a_process_may_have_any_name() -> None:
    named = subprocess.Popen(
        [sys.executable, "-c", "open('/proc/self/comm', 'w').write('a) 1 (b'); print(flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert named.stdout
    named.stdout.readline()
    assert record.new(Path("/mine")).started(psutil.Process(named.pid)).process()
    named.communicate("\n")


def test_what_the_sandbox_is_started_with_may_go_away(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    (clone / "sandbox").mkdir(parents=True)
    gone = clone / "python"
    assert replace(of_this_process(), source=str(clone), python=sys.executable).homeless is None
    assert replace(of_this_process(), source=str(clone), python=str(gone)).homeless == str(gone)
    assert replace(of_this_process(), source=str(tmp_path)).homeless == str(tmp_path), "nothing is in it"
    assert of_this_process().homeless is None
