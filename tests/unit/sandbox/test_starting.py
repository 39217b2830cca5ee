from pathlib import Path
from typing import Any

import pytest

from sandbox import starting
from sandbox.errors import SandboxError
from sandbox.layout import Layout
from sandbox.patience import NotYetError
from sandbox.services import Part
from sandbox.supervisor import ProcessState


class World:
    """A supervisord that starts everything, and probes for it: `broken` is given up, `slow` never answers."""

    def __init__(self) -> None:
        self.started: list[str] = []

    def supervisor(self, _: Path) -> "World":
        return self

    def start(self, name: str) -> None:
        self.started.append(name)

    def states(self) -> dict[str, ProcessState]:
        names = {"slow": "RUNNING", "needy": "RUNNING", "broken": "FATAL"}
        return {name: ProcessState(name, state, 1, "") for name, state in names.items()}

    def of(self, part: str) -> Any:
        return self._not_yet if part == "slow" else None

    def _not_yet(self) -> None:
        raise NotYetError("it does not answer")


def test_what_did_not_answer_in_time_is_not_taken_for_an_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World()
    monkeypatch.setattr(starting, "Supervisor", world.supervisor)
    everything = [Part("slow", ()), Part("needy", (), needs=("slow",)), Part("broken", ())]
    afterwards: list[str] = []
    probes: Any = world
    with pytest.raises(SandboxError, match="broken ends as soon as it is started"):
        starting.start_all(everything, Layout(tmp_path), probes, {"slow": lambda: afterwards.append("slow")})
    assert afterwards == []
    assert "needy" not in world.started
