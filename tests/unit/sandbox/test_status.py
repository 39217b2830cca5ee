from pathlib import Path

import psutil
import pytest

from sandbox import machine, record
from sandbox.config import Config
from sandbox.layout import Layout
from sandbox.lifecycle import Sandbox
from sandbox.services import Part
from sandbox.status import Process, attribute, collect, version_of


def test_memory_goes_to_the_part_that_started_the_process() -> None:
    processes = [
        Process(100, 99, 1, 1),  # supervisord
        Process(101, 100, 7, 10),  # a part
        Process(102, 101, 8, 20),  # its child
        Process(103, 102, 9, 40),  # its child's child
        Process(104, 100, 10, 80),  # a container, adopted by process 1
        Process(105, 104, 11, 160),  # what runs in it
        Process(106, 1, 12, 320),  # its parent ended while we looked
    ]
    assert attribute(processes, 100, {7: "postgres"}) == {"": 1, "postgres": 70, "pods": 560}


def test_versions_are_taken_from_what_programs_print() -> None:
    assert version_of(Part("x", (), version="v1.34.4")) == "1.34.4"
    assert version_of(Part("x", (), version=("echo", "etcd Version: 3.4.23"))) == "3.4.23"
    assert version_of(Part("x", (), version=("no-such-program", "--version"))) == "not installed"
    assert version_of(Part("x", (), version=("sleep", "60")), seconds=0.1) == "gives no answer"


def test_a_sandbox_that_is_just_being_started_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "check", lambda: None)
    monkeypatch.setattr(record, "RECORD", tmp_path / "record.json")
    record.write(record.new(tmp_path).started(psutil.Process()))
    found = collect(Sandbox(Config(), Layout(tmp_path)))
    assert {row.state for row in found.parts} == {"starting"}
    assert not found.complete
