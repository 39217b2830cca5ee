"""Asking a run to end: by a signal, or by whatever else has a reason."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Cancellation:
    """Whether a run shall end, and why: the first reason counts.

    Any thread may ask, and any signal handler. A handler may interrupt whoever holds a lock, so there is none: a
    list's `append` is one step, and listeners bear being called twice.
    """

    def __init__(self) -> None:
        self._reasons: list[str] = []
        self._listeners: dict[object, Callable[[], None]] = {}

    @property
    def requested(self) -> bool:
        """Whether anybody has asked."""
        return bool(self._reasons)

    @property
    def reason(self) -> str | None:
        """What was said first."""
        return self._reasons[0] if self._reasons else None

    def request(self, reason: str) -> None:
        """Ask the run to end."""
        again = self.requested
        self._reasons.append(reason)
        if not again:
            for listener in tuple(self._listeners.values()):
                listener()

    @contextmanager
    def telling(self, listener: Callable[[], None]) -> Iterator[None]:
        """Call `listener` when the run shall end, at once if that has been said; it must not block, nor take a lock."""
        key = object()
        self._listeners[key] = listener
        try:
            if self.requested:
                listener()
            yield
        finally:
            del self._listeners[key]

    @contextmanager
    def part(self) -> Iterator["Cancellation"]:
        """What a part of the run goes by: requested when this one is, while its own reasons end nothing else."""
        part = Cancellation()
        with self.telling(lambda: part.request(self.reason or "")):
            yield part


@contextmanager
def cancel_on_signals(
    cancellation: Cancellation, again: Callable[[signal.Signals], None] = lambda number: None
) -> Iterator[Cancellation]:
    """Within it the first SIGINT, SIGTERM or SIGHUP requests the cancellation, its name being the reason.

    `again` is called for each later signal, inside of the signal handler: it may say that the run is already stopping,
    and should do so with `os.write`, since `print` fails when it interrupts a `print`. What was ignored before, as
    `nohup` has it, stays ignored. To be used in the main thread, which is where Python handles signals.
    """

    def handle(number: int, _: object) -> None:
        received = signal.Signals(number)
        if cancellation.requested:
            again(received)
        else:
            cancellation.request(received.name)

    before = {number: signal.getsignal(number) for number in SIGNALS}
    handled = {number: handler for number, handler in before.items() if handler is not signal.SIG_IGN}
    try:
        for number in handled:
            signal.signal(number, handle)
        yield cancellation
    finally:
        for number, handler in handled.items():
            signal.signal(number, handler)
