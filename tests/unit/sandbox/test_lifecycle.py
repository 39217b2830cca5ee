"""`up`, `down` and `reset` with the machine replaced: what they do in which order, and after which interruption."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from sandbox import aws, locks, record
from sandbox.config import Config
from sandbox.errors import SandboxError
from sandbox.layout import Layout
from sandbox.lifecycle import Sandbox, down, reset, up


class World:
    """Notes what is done. `interrupt` names what does not come to its end."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.interrupt = ""

    def does(self, what: str, then: Callable[..., Any] = lambda *_, **__: None) -> Callable[..., Any]:
        def act(*words: Any, **named: Any) -> Any:
            if what == self.interrupt:
                raise KeyboardInterrupt
            self.done.append(what)
            return then(*words, **named)

        return act

    def since(self) -> list[str]:
        """What was done since the last time."""
        done, self.done = self.done, []
        return done


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    monkeypatch.setattr(record, "RECORD", tmp_path / "record.json")
    monkeypatch.setattr(locks, "MACHINE", tmp_path / "machine.lock")

    def start(_: Config, layout: Layout, __: Path, fingerprint: str) -> None:
        record.write(replace(record.new(layout.root).started(psutil.Process()), fingerprint=fingerprint))

    def start_all(_: Any, __: Any, ___: Any, afterwards: dict[str, Callable[[], None]]) -> dict[str, float]:
        for act in afterwards.values():
            act()
        return {}

    replaced: dict[str, Callable[..., Any] | None] = {
        "machine.check": None,
        "machine.check_kernel": None,
        "packages.ensure": None,
        "toolchain.ensure": lambda: tmp_path / "bin",
        "images.prepare": None,
        "images.publish": made.does("publish"),
        "network.conflicts": lambda *_: [],
        "network.attached": lambda *_: True,
        "network.routes": None,
        "configure.resolv_conf": lambda: "nameserver 192.0.2.1\n",
        "launch.start": made.does("launch", start),
        "launch.stop": made.does("stop", lambda: record.remove()),
        "unready": lambda *_: {},
        "start_all": made.does("start parts", start_all),
        "_apply_objects": made.does("apply"),
        "install": made.does("install"),
    }
    for name, act in replaced.items():
        monkeypatch.setattr(f"sandbox.lifecycle.{name}", act or (lambda *_, **__: None))
    # Temporary folders of tests are long.
    monkeypatch.setattr(Layout, "check", lambda _: None)
    monkeypatch.setattr(aws, "seed", made.does("seed"))
    return made


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return Sandbox(Config(), Layout(tmp_path / "sandbox"))


FIRST = ["stop", "launch", "start parts", "apply", "seed", "publish", "install"]


def test_a_first_up_does_everything_and_a_second_one_only_looks(world: World, sandbox: Sandbox) -> None:
    up(sandbox)
    assert world.since() == FIRST
    up(sandbox)
    assert world.since() == ["publish", "install"]


@pytest.mark.parametrize("interrupted", FIRST[3:6])
def test_what_an_interrupted_up_did_not_do_the_next_one_does(world: World, sandbox: Sandbox, interrupted: str) -> None:
    world.interrupt = interrupted
    with pytest.raises(KeyboardInterrupt):
        up(sandbox)
    world.interrupt = ""
    world.since()
    up(sandbox)
    assert world.since() == ["start parts", "apply", "seed", "publish", "install"]
    up(sandbox)
    assert world.since() == ["publish", "install"]


def test_everything_that_is_written_is_written_under_the_machine_s_lock(
    world: World, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked: list[bool] = []
    monkeypatch.setattr("sandbox.lifecycle.install", lambda *_, **__: locked.append(locks.MACHINE.exists()))
    monkeypatch.setattr("sandbox.launch.stop", lambda: locked.append(locks.MACHINE.exists()))
    up(sandbox)
    reset(sandbox)
    assert locked == [True, True, True]
    assert not locks.MACHINE.exists()


def test_a_clone_that_is_gone_is_a_reason_to_start_anew(world: World, sandbox: Sandbox, tmp_path: Path) -> None:
    up(sandbox)
    current = record.read()
    assert current
    record.write(replace(current, source=str(tmp_path / "gone")))
    world.since()
    up(sandbox)
    assert world.since() == ["stop", *FIRST]


def test_a_sandbox_started_while_we_built_is_not_taken_over(
    world: World, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = record.new(tmp_path / "other").started(psutil.Process())
    monkeypatch.setattr("sandbox.images.prepare", lambda: record.write(other))
    with pytest.raises(SandboxError, match="Another sandbox runs on this machine"):
        up(sandbox)
    assert world.since() == []


def test_somebody_s_directory_is_refused_before_anything_is_done(world: World, sandbox: Sandbox) -> None:
    sandbox.layout.temporary.mkdir(parents=True)
    for command in (up, reset):
        with pytest.raises(SandboxError, match="not a sandbox's"):
            command(sandbox)
    assert world.since() == []
    assert sandbox.layout.temporary.exists()


def test_reset_deletes_what_up_made_and_down_makes_nothing(world: World, sandbox: Sandbox) -> None:
    up(sandbox)
    reset(sandbox)
    assert not sandbox.layout.root.exists()
    down(sandbox)
    reset(sandbox)
    assert not sandbox.layout.root.exists()


def test_what_cannot_work_is_said_before_anything_is_built(
    world: World, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sandbox.network.conflicts", lambda *_: ["subnet 172.30.0.0/24 is in use."])
    monkeypatch.setattr("sandbox.toolchain.ensure", world.does("build"))
    with pytest.raises(SandboxError, match=r"is in use\.\nChoose another subnet"):
        up(sandbox)
    assert world.since() == []
