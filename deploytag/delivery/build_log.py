"""What a builder printed while it built the environment's images, out of the engine's events."""

from collections import deque
from dataclasses import dataclass, field

from deploytag.build_message import LIMIT, understand
from deploytag.delivery import resource_types
from deploytag.delivery.events import Diagnostic, Event
from deploytag.redaction import redact

ENDING = 12
"""Lines of a failed build that are shown at once."""


class BuildOutput:
    """Listens to an engine, and keeps what the builds of images print."""

    def __init__(self) -> None:
        self._images: dict[str, _Output] = {}

    def listen(self, event: Event) -> None:
        """Keep what a builder says."""
        match event:
            case Diagnostic(type=resource_types.IMAGE):
                self._of(event.urn.rsplit("::", 1)[-1]).keep(event)
            case Diagnostic(type=resource_types.IMAGES_COMPONENT) if told := understand(event.message):
                image, printed = told
                self._of(image).record.keep_all(printed)

    def begin_again(self) -> None:
        """Forget what an earlier try said: the next one says everything once more."""
        self._images.clear()

    @property
    def text(self) -> str:
        """All of it, one image after the other, each line after the image's name. Empty when nothing was built."""
        kept = _Tail()
        for name, output in self._images.items():
            for line in output.lines:
                kept.keep(f"{name} {line}")
        return "\n".join(kept.lines)

    @property
    def ending(self) -> tuple[str, ...]:
        """The last lines of the build that failed, empty ones left out; none when no build did."""
        failed = [output for output in self._images.values() if output.failed]
        return tuple([line for output in failed for line in output.printed if line.strip()][-ENDING:])

    def _of(self, image: str) -> "_Output":
        return self._images.setdefault(image, _Output())


class _Tail:
    """The last lines of a text."""

    def __init__(self) -> None:
        self.lines: deque[str] = deque()
        self._size = 0

    def keep_all(self, text: str) -> None:
        # Redacted before a line is cut, which may leave the half of a value.
        for line in redact(text).splitlines():
            self.keep(line)

    def keep(self, line: str) -> None:
        line = line[: LIMIT - 1]
        self.lines.append(line)
        self._size += len(line) + 1
        while self._size > LIMIT:
            self._size -= len(self.lines.popleft()) + 1


@dataclass
class _Output:
    """Of one image.

    While it builds, the docker-build plugin reports each line as a status; of a build that failed it says everything
    once more, as none. Neither is sure to be whole, `deploytag.program.build_record` says why. The builder's own record
    is, where the program could ask for it.
    """

    live: _Tail = field(default_factory=_Tail)
    afterwards: _Tail = field(default_factory=_Tail)
    record: _Tail = field(default_factory=_Tail)
    complaints: _Tail = field(default_factory=_Tail)
    failed: bool = False

    def keep(self, event: Diagnostic) -> None:
        self.failed |= event.severity == "error"
        match event:
            case Diagnostic(status=True):
                tail = self.live
            case Diagnostic(severity="info"):
                tail = self.afterwards
            case _:
                tail = self.complaints
        tail.keep_all(event.message)

    @property
    def printed(self) -> tuple[str, ...]:
        """What the builder did."""
        if self.record.lines:
            return tuple(self.record.lines)
        longer = self.afterwards if len(self.afterwards.lines) > len(self.live.lines) else self.live
        return tuple(longer.lines)

    @property
    def lines(self) -> tuple[str, ...]:
        """The same, and what was said of it."""
        return (*self.printed, *self.complaints.lines)
