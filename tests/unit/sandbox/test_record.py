import os
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
    assert replace(of_this_process(), began=1.0).process() is None
    assert replace(of_this_process(), pid=0).process() is None


def test_a_record_from_before_a_reboot_means_nothing() -> None:
    record.write(replace(of_this_process(), boot="another"))
    assert record.read() is None


def test_another_directory_s_sandbox_is_named() -> None:
    with pytest.raises(SandboxError, match=r"from /theirs \(process"):
        record.refuse_foreign(of_this_process("/theirs"), Path("/mine"))


def test_a_dead_one_is_in_nobody_s_way() -> None:
    record.refuse_foreign(replace(of_this_process("/theirs"), began=1.0), Path("/mine"))
    record.refuse_foreign(None, Path("/mine"))


def test_garbage_is_a_sentence() -> None:
    record.RECORD.write_text("{")
    with pytest.raises(SandboxError, match="is not a record of a sandbox"):
        record.read()
