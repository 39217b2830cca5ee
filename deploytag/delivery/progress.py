"""What a person sees while a run works: a line for everything that happened, with the time since it began."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.text import Text

from deploytag.output import shown


class Progress:
    """Lines on a terminal, in a log or behind `remote:`; never anything that moves."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic, *, verbose: bool = False) -> None:
        # A log has no width: what a terminal would break stays one line.
        self._console = Console(file=stream, soft_wrap=True, highlight=False)
        self._clock, self._verbose = clock, verbose
        self._began = clock()
        self.seconds: dict[str, float] = {}
        """How long each finished phase took."""

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """A part of the run, whose time is in the report."""
        began = self._clock()
        try:
            yield
        finally:
            self.seconds[name] = round(self.seconds.get(name, 0.0) + self._clock() - began, 2)

    def say(self, text: str) -> None:
        """Something happened."""
        self._line(text)

    def detail(self, text: str) -> None:
        """Something that only who looks for a fault wants to see."""
        if self._verbose:
            self._line(text, "dim")

    def quote(self, line: str) -> None:
        """What a command printed, as it did."""
        self._console.print(Text(shown(line)))

    def warn(self, text: str) -> None:
        """Something a person should know, though the run goes on."""
        self._line(text, "yellow")

    def fail(self, text: str) -> None:
        """Something went wrong."""
        self._line(text, "red")

    def done(self, text: str) -> None:
        """The good end."""
        self._line(text, "green")

    def _line(self, text: str, style: str = "") -> None:
        # Never as markup: much of it was written by whoever pushes.
        time_ = f"{self._clock() - self._began:6.1f} s"
        self._console.print(Text.assemble((time_, "dim"), "  ", (shown(text), style)))
