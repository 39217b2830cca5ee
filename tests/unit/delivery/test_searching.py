"""What the end-to-end tests search for values finds them, and says that it has looked."""

import os
import shutil
import subprocess
import sys
import threading
import uuid
from pathlib import Path

import pytest
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from deploytag.delivery.run import MARK
from deploytag.identity import identify
from tests.e2e.delivery.searching import Needles, in_files, in_what_goes, watching_processes
from tests.unit.family import PATIENCE

IDENTITY = identify("shop", "feature/test")
FILES = {
    "checkpoint": f".pulumi/stacks/shop/{IDENTITY.stack}.json.bak",
    "history": f".pulumi/history/shop/{IDENTITY.stack}/1.history.json",
    "backups": f".pulumi/backups/shop/{IDENTITY.stack}/1.json",
    "pod logs": f"pod-logs/{IDENTITY.namespace}_web_1/web/0.log",
}


def write(folder: Path, text: str) -> None:
    for path in FILES.values():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


def test_what_goes_with_an_environment_is_searched(tmp_path: Path) -> None:
    needles = Needles({"value": "canary1234567890"})
    assert in_what_goes(needles, tmp_path, tmp_path / "pod-logs", IDENTITY, 0) == (set(), set())
    write(tmp_path, "nothing")
    assert in_what_goes(needles, tmp_path, tmp_path / "pod-logs", IDENTITY, 0) == (set(FILES), set())
    write(tmp_path, "it is canary1234567890")
    found = {(str(tmp_path / path), "value") for path in FILES.values()}
    assert in_what_goes(needles, tmp_path, tmp_path / "pod-logs", IDENTITY, 0) == (set(FILES), found)


def test_a_folder_that_goes_away_while_it_is_searched_is_none(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "another")]

    class Leaving(Needles):
        """Whoever writes into the other folder takes it away as soon as the first is searched."""

        def found(self, content: bytes | str) -> set[str]:
            for folder in folders:
                if folder.name.encode() != content:
                    shutil.rmtree(folder)
            return {"value"}

    for folder in folders:
        folder.mkdir()
        (folder / "file").write_text(folder.name)
    assert len(in_files(Leaving({"value": "canary1234567890"}), [tmp_path], 0)) == 1


def test_processes_are_searched_by_their_arguments_and_those_of_a_run_by_their_environment() -> None:
    argument, variable, other = (f"canary{uuid.uuid4().hex}" for _ in range(3))
    needles = Needles({"argument": argument, "variable": variable, "of no run": other})
    program = [sys.executable, "-c", "input()"]
    environs = ({MARK: "x", "VALUE": variable}, {"VALUE": other})
    with watching_processes(needles) as processes:
        started = [
            subprocess.Popen([*program, argument], env={**os.environ, **environ}, stdin=subprocess.PIPE)
            for environ in environs
        ]
        patient = Retrying(
            retry=retry_if_result(lambda hits: len(hits) < 2),
            wait=wait_fixed(0.05),
            stop=stop_after_delay(PATIENCE),
        )
        patient(lambda: {name for _, name in processes.hits})
        for process in started:
            process.communicate(b"\n")
    assert {name for _, name in processes.hits} == {"argument", "variable"}
    assert Path(sys.executable).name in processes.seen


def test_a_search_that_broke_off_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    searched = threading.Event()

    def broken(_: object, __: object) -> set[str]:
        searched.set()
        raise ValueError("broken")

    monkeypatch.setattr(Needles, "found", broken)
    with pytest.raises(ValueError, match="broken"), watching_processes(Needles({"value": "canary"})):
        assert searched.wait(PATIENCE)
