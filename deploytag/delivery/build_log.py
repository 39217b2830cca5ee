"""What a builder printed while it built the environment's images, out of the engine's events."""

from collections import deque

from deploytag.delivery.events import Diagnostic, Event

IMAGE = "docker-build:index:Image"
LIMIT = 128 * 1024
"""Characters that are kept: the last ones, in which an error stands. A ConfigMap holds 1 MiB."""


class BuildOutput:
    """Listens to an engine; `text` is the output of its builds, each line after the image's name."""

    def __init__(self) -> None:
        self._live = _Tail()
        self._end = _Tail()

    def listen(self, event: Event) -> None:
        """Keep what a builder says.

        While it builds it does so as a status, and a failed build says everything once more at its end, as none. On a
        busy machine a short build may have failed before anything of it was shown live.
        """
        if isinstance(event, Diagnostic) and event.type == IMAGE:
            name = event.urn.rsplit("::", 1)[-1]
            tail = self._live if event.status else self._end
            for line in event.message.splitlines():
                tail.keep(f"{name} {line}"[:LIMIT])

    @property
    def text(self) -> str:
        """Empty when nothing was built."""
        return self._live.text or self._end.text


class _Tail:
    """The last lines of a text."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque()
        self._size = 0

    def keep(self, line: str) -> None:
        self._lines.append(line)
        self._size += len(line) + 1
        while self._size > LIMIT:
            self._size -= len(self._lines.popleft()) + 1

    @property
    def text(self) -> str:
        return "\n".join(self._lines)
