import threading
from types import SimpleNamespace

import pytest
from rich.console import Console

from sandbox import progress
from sandbox.progress import duration, step


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> "Lines":
    # A clock that stands still: what is printed does not depend on how busy the machine is.
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: 0.0))
    monkeypatch.setattr(progress, "_console", Console(stderr=True, force_terminal=False, soft_wrap=True))
    return Lines(capsys)


class Lines:
    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def read(self) -> list[str]:
        printed = self._capsys.readouterr()
        assert printed.out == "", "stdout belongs to what a shell evaluates"
        return printed.err.splitlines()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (306, "5 min 6 s")],
)
def test_a_duration_reads_like_a_person_says_it(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_short_step_is_one_line(lines: Lines) -> None:
    with step("Making keys"):
        pass
    assert lines.read() == ["Making keys: done, 0.0 s"]


def test_a_long_step_says_at_once_how_long_it_usually_takes(lines: Lines) -> None:
    with step("Building helm", usual="1 min"):
        assert lines.read() == ["Building helm ... (usually 1 min)"]
    assert lines.read() == ["Building helm: done, 0.0 s"]


def test_a_skipped_step_says_why(lines: Lines) -> None:
    with step("Building helm") as current:
        current.skip()
    assert lines.read() == ["Building helm: already there, 0.0 s"]


@pytest.mark.parametrize(("error", "outcome"), [(ValueError, "failed"), (KeyboardInterrupt, "interrupted")])
def test_a_step_that_ends_early_says_so_and_lets_the_error_pass(
    lines: Lines, error: type[BaseException], outcome: str
) -> None:
    with pytest.raises(error), step("Building helm"):
        raise error
    assert lines.read() == [f"Building helm: {outcome}, 0.0 s"]


def test_a_long_step_gives_signs_of_life(lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = threading.Event()

    def note(line: str) -> None:
        if "still" in line:
            seen.set()

    monkeypatch.setattr(progress, "HEARTBEAT_SECONDS", 0.001)
    monkeypatch.setattr(progress, "_print", note)
    with step("Building helm"):
        assert seen.wait(5)


def test_brackets_in_a_title_are_not_taken_for_colours(lines: Lines) -> None:
    with step("Pulling [bold]x[/]"):
        pass
    assert lines.read() == ["Pulling [bold]x[/]: done, 0.0 s"]
