"""Time and threads of this machine, as something that a test can replace by a simulated one."""

import threading
import time
from collections.abc import Callable
from typing import Protocol


class Clock(Protocol):
    """Everything by which code that holds something for a limited time depends on time."""

    def now(self) -> float:
        """Seconds of CLOCK_BOOTTIME: never set, and going on while the machine is suspended."""
        ...

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait for the event, but no longer than `seconds`; whether it is set."""
        ...

    def start(self, work: Callable[[], None], name: str) -> None:
        """Do `work` in a thread that does not keep the process alive."""
        ...


class SystemClock:
    """The real one."""

    def now(self) -> float:
        """See `Clock`."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """See `Clock`."""
        return event.wait(max(0.0, seconds))

    def start(self, work: Callable[[], None], name: str) -> None:
        """See `Clock`."""
        threading.Thread(target=work, name=name, daemon=True).start()
