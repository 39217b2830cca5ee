"""One line per step of a long job: what is being done, how long it usually takes, how long it took.

On a terminal the running step is a live line; in a log it is a line at the start, a heartbeat and a line at the end.
Everything goes to stderr, because the stdout of `python -m sandbox env` is evaluated by a shell.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

HEARTBEAT_SECONDS = 30.0

_console = Console(stderr=True, highlight=False, soft_wrap=True)


class Step:
    """A step that is under way. It says "done" at the end unless told otherwise."""

    def __init__(self, title: str) -> None:
        """Start the clock."""
        self.title = title
        self.outcome = "done"
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        """Time since the step began."""
        return time.monotonic() - self._started

    def skip(self, reason: str = "already there") -> None:
        """Say at the end that nothing had to be done."""
        self.outcome = reason

    def summary(self, outcome: str | None = None) -> str:
        """The line that ends the step."""
        return f"{self.title}: {outcome or self.outcome}, {duration(self.seconds)}"


@contextmanager
def step(title: str, usual: str | None = None) -> Iterator[Step]:
    """Show what the block does: `with step("Building helm", usual="1 min") as s: ...`."""
    current = Step(title)
    try:
        with _live(current, usual) if _console.is_terminal else _log(current, usual):
            yield current
    except KeyboardInterrupt:
        _print(current.summary("interrupted"))
        raise
    except BaseException:
        _print(current.summary("failed"))
        raise
    _print(current.summary())


def duration(seconds: float) -> str:
    """A time as a person says it: 0.3 s, 12 s, 5 min 6 s."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def announcement(title: str, usual: str | None) -> str:
    """The line that begins a step."""
    return f"{title} ..." + (f" (usually {usual})" if usual else "")


def _print(line: str) -> None:
    _console.print(line, markup=False)


@contextmanager
def _live(current: Step, usual: str | None) -> Iterator[None]:
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=_console, transient=True) as bar:
        bar.add_task(announcement(current.title, usual))
        yield


@contextmanager
def _log(current: Step, usual: str | None) -> Iterator[None]:
    # A short step needs no line before its last one.
    if usual:
        _print(announcement(current.title, usual))
    finished = threading.Event()

    def beat() -> None:
        while not finished.wait(HEARTBEAT_SECONDS):
            _print(f"{current.title}: still at it after {duration(current.seconds)}")

    thread = threading.Thread(target=beat, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        finished.set()
        thread.join()
