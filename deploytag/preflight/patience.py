"""Waiting for others, but not for long: a silent firewall or name server must not cost minutes."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

Answer = TypeVar("Answer")


async def ask(seconds: float, question: Callable[[], Answer]) -> Answer:
    """What the blocking `question` returns or raises.

    A question that is not answered goes on in a daemon thread: asyncio's own threads are waited for when the process
    ends, and neither a name server nor a credential command can be told to stop.

    Raises:
        TimeoutError: there is no answer within `seconds`.
    """
    future: Future[Answer] = Future()
    future.set_running_or_notify_cancel()

    def run() -> None:
        try:
            future.set_result(question())
        except Exception as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    async with asyncio.timeout(seconds):
        return await asyncio.wrap_future(future)
