"""A command's output as lines, of which only so much is kept."""

from collections import deque
from collections.abc import Callable

LINE_LIMIT = 1 << 20
"""Bytes after which a line is told although it has not ended."""

OUTPUT_LIMIT = 4 << 20
"""Bytes of the output that are kept; what came first goes first."""


class Lines:
    """Takes bytes as they come; tells lines without their ends, and keeps the last of them.

    Bytes that are no UTF-8 are shown as U+FFFD.
    """

    def __init__(self, on_line: Callable[[str], None] | None = None) -> None:
        self._on_line = on_line
        self._rest = bytearray()
        self._kept: deque[bytes] = deque()
        self._size = 0
        self._dropped = 0

    def feed(self, chunk: bytes) -> None:
        """More output."""
        *ended, rest = chunk.split(b"\n")
        for line in ended:
            self._rest += line
            self._take(b"\n")
        self._rest += rest
        if len(self._rest) >= LINE_LIMIT:
            self._take(b"")

    def close(self) -> None:
        """There is no more: what is there is the last line."""
        if self._rest:
            self._take(b"")

    @property
    def text(self) -> str:
        """What is kept, after a line that says so if it is not everything."""
        kept = b"".join(self._kept).decode(errors="replace")
        return f"[the first {self._dropped} bytes were not kept]\n{kept}" if self._dropped else kept

    def _take(self, end: bytes) -> None:
        line = bytes(self._rest)
        self._rest.clear()
        self._kept.append(line + end)
        self._size += len(line + end)
        while self._size > OUTPUT_LIMIT:
            size = len(self._kept.popleft())
            self._size -= size
            self._dropped += size
        if self._on_line:
            self._on_line(line.removesuffix(b"\r").decode(errors="replace"))
