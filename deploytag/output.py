"""Standard output, standard error and the log of this process: nothing passes them unredacted."""

import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from deploytag.printable import one_line, printable
from deploytag.redaction import redact


def shown(text: str) -> str:
    """Text that others wrote, as a person may be shown it.

    Redacted before it is rewritten, which would disguise a value. What rewriting brings to light, by taking a colour
    out of a value, the stream takes out.
    """
    return printable(redact(text))


def shown_as_one_line(text: str) -> str:
    """`shown`, with every run of space and of ends of lines as one space."""
    return one_line(redact(text))


class Redacting:
    """A text stream that lets only whole, redacted lines through: a value may be written in pieces.

    It has no `buffer`, by which a writer of bytes would get past it.
    """

    def __init__(self, stream: TextIO, redactor: Callable[[str], str] = redact) -> None:
        self._stream, self._redact = stream, redactor
        self._rest = ""

    def write(self, text: str) -> int:
        """Take text; show it once its line has ended."""
        whole, newline, rest = (self._rest + text).rpartition("\n")
        self._rest = rest
        if newline:
            self._stream.write(self._redact(whole) + newline)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Take several texts."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Show what there is, a line without an end too: a question waits for its answer."""
        if self._rest:
            self._stream.write(self._redact(self._rest))
            self._rest = ""
        self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        if name in ("buffer", "detach"):
            raise AttributeError(name)
        return getattr(self._stream, name)


def behind(stream: TextIO) -> TextIO:
    """Where a redacting stream writes to: for JSON that is redacted already, whose escapes are no texts."""
    stream.flush()
    return stream._stream if isinstance(stream, Redacting) else stream


@contextmanager
def redacting_output() -> Iterator[None]:
    """Standard output and errors of this process, redacted."""
    before = sys.stdout, sys.stderr
    ours = Redacting(before[0]), Redacting(before[1])
    sys.stdout, sys.stderr = ours
    try:
        yield
    finally:
        for stream in ours:
            stream.flush()
        sys.stdout, sys.stderr = before


class LogFilter(logging.Filter):
    """For every handler of a log: records without secrets, their tracebacks too."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact the record, and let it through unless it holds a whole answer."""
        if record.levelno < logging.WARNING and record.name.startswith(BODIES):
            return False
        record.msg, record.args = redact(record.getMessage()), None
        if record.exc_info:
            record.exc_text = redact(logging.Formatter().formatException(record.exc_info))
            record.exc_info = None
        return True


BODIES = ("botocore", "boto3", "kubernetes.client", "httpcore", "s3transfer")
"""Loggers that write whole requests and answers: secret values, before this process has read them."""


def log_to(stream: TextIO, level: int) -> None:
    """Write this process's log, and that of every library, to `stream`."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    handler.addFilter(LogFilter())
    logging.basicConfig(level=level, handlers=[handler])
