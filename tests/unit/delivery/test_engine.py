"""Pulumi's commands as a result, with a stand-in for what runs them."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest

from deploytag.delivery.engine import Engine, write_project
from deploytag.delivery.events import Event
from deploytag.delivery.processes.cancellation import Cancellation
from deploytag.delivery.processes.children import Children, Finished
from deploytag.errors import DeploymentError, InterruptedRunError, UnreachableError

STACK = "urn:pulumi:feature-test::shop::pulumi:pulumi:Stack::shop-feature-test"


@dataclass
class FakeChildren:
    """Prints lines instead of running a command."""

    lines: Sequence[str] = ()
    code: int = 0
    commands: list[list[str]] = field(default_factory=list)

    def run(
        self,
        command: Sequence[str],
        *,
        on_line: Callable[[str], None] | None = None,
        on_pid: Callable[[int], None],
        **_: Any,
    ) -> Finished:
        on_pid(7)
        self.commands.append(list(command[1:]))
        for line in self.lines:
            if on_line:
                on_line(line)
        return Finished(self.code, "\n".join(self.lines))


@dataclass
class FakeLease:
    pids: list[int] = field(default_factory=list)

    def engine_started(self, pid: int) -> None:
        self.pids.append(pid)


def engine(children: FakeChildren, seen: list[Event] | None = None, lease: FakeLease | None = None) -> Engine:
    return Engine(
        stack="feature-test",
        folder=Path(),
        children=cast(Children, children),
        environ={},
        held=lease or FakeLease(),
        cancellation=Cancellation(),
        on_event=(seen if seen is not None else []).append,
    )


@pytest.fixture(autouse=True)
def pulumi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pulumi").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))


def error(message: str) -> str:
    return json.dumps({"diagnosticEvent": {"severity": "error", "message": message}})


def test_an_operation_that_works() -> None:
    outputs = {"url": "http://203.0.113.7"}
    metadata = {"op": "same", "urn": STACK, "type": "pulumi:pulumi:Stack", "new": {"outputs": outputs}}
    children, lease = FakeChildren([json.dumps({"resOutputsEvent": {"metadata": metadata}})]), FakeLease()
    seen: list[Event] = []
    result = engine(children, seen, lease).up()
    assert result.ok
    assert result.outputs == outputs
    assert len(seen) == 1
    assert lease.pids == [7], "it was written down before the engine ran"
    [command] = children.commands
    assert command[0] == "up"
    assert {"--yes", "--skip-preview", "--json", "--non-interactive"} <= set(command)


@pytest.mark.parametrize(
    ("environ", "more"),
    [
        ({}, []),
        ({"DEPLOYTAG_SECRETS_PROVIDER": ""}, []),
        ({"DEPLOYTAG_SECRETS_PROVIDER": "awskms://alias/state"}, ["--secrets-provider", "awskms://alias/state"]),
    ],
)
def test_a_new_stack_has_the_provider_of_the_environment(environ: dict[str, str], more: list[str]) -> None:
    children = FakeChildren()
    replace(engine(children), environ=environ).ensure_stack()
    [command] = children.commands
    assert command[:4] == ["stack", "select", "--create", "feature-test"]
    assert [word for word in command[4:] if word in {"--secrets-provider", "awskms://alias/state"}] == more


def test_what_the_engine_complains_of_is_said_once_and_its_formulas_not_at_all() -> None:
    lines = [error("the role exists\n"), error("the role exists\n"), error("update failed")]
    result = engine(FakeChildren(lines, code=255)).up()
    assert not result.ok
    assert result.complaint == "the role exists"


def test_a_command_that_could_not_even_begin_says_why() -> None:
    result = engine(FakeChildren(["error: no stack named 'feature-test' found"], code=255)).up()
    assert result.complaint == "error: no stack named 'feature-test' found"


def test_where_there_is_no_stack_there_is_nothing_to_remove() -> None:
    it = engine(FakeChildren(["error: no stack named 'feature-test' found"], code=255))
    it.remove_stack()
    assert it.destroy().ok
    assert it.state() is None


@pytest.mark.parametrize("said", ["error: could not list bucket", "error: no stack named 'another' found", ""])
def test_a_state_that_cannot_be_read_is_not_taken_for_none(said: str) -> None:
    it = engine(FakeChildren([said], code=255))
    with pytest.raises(UnreachableError, match="the state of feature-test could not be read: "):
        it.state()
    with pytest.raises(DeploymentError, match="`pulumi stack` failed on feature-test"):
        it.remove_stack()


def test_an_export_that_a_signal_ended_says_nothing_of_the_state() -> None:
    it = engine(FakeChildren(["error: no stack named 'feature-test' found"], code=255))
    it.cancellation.request("SIGTERM")
    with pytest.raises(InterruptedRunError, match="stopped by SIGTERM"):
        it.state()


def test_a_refresh_that_fails_is_a_sentence() -> None:
    with pytest.raises(DeploymentError, match="the state of feature-test could not be refreshed: no connection"):
        engine(FakeChildren([error("no connection")], code=255)).refresh(clear_pending=True)


def test_what_is_adopted_goes_by_a_file_that_is_gone_afterwards() -> None:
    children = FakeChildren()
    engine(children).adopt({"resources": []})
    [path] = [word.removeprefix("--file=") for word in children.commands[0] if word.startswith("--file=")]
    assert not Path(path).exists()


def test_a_project_without_a_program(tmp_path: Path) -> None:
    write_project(tmp_path / "scratch", "shop")
    assert json.loads((tmp_path / "scratch" / "Pulumi.yaml").read_text()) == {"name": "shop", "runtime": "python"}
