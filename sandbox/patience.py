"""Waiting for something that becomes true by itself."""

from collections.abc import Callable
from typing import TypeVar

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

T = TypeVar("T")


class NotYetError(Exception):
    """It is not so yet; the message says what is missing."""


def patiently(check: Callable[[], T], seconds: float, every: float = 0.1) -> T:
    """Call `check` until it no longer raises NotYetError, and raise its last one when the time is over."""
    retrying = Retrying(
        retry=retry_if_exception_type(NotYetError),
        stop=stop_after_delay(seconds),
        wait=wait_fixed(every),
        reraise=True,
    )
    return retrying(check)
