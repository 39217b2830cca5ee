"""One HTTP question whose whole answer has a limit of time and size: httpx's own are for each read by itself, so that
whoever sends a byte now and then could keep a run for ever."""

import asyncio
import ssl
from functools import cache

import httpx


class EndlessError(httpx.HTTPError):
    """An answer is longer than it may be."""


def fetch(
    request: httpx.Request,
    *,
    seconds: float,
    largest: int | None,
    redirects: bool = False,
    transport: httpx.AsyncBaseTransport | None = None,
) -> httpx.Response:
    """What answers. Each question has a connection of its own.

    Args:
        request: what to ask.
        seconds: for everything: finding the address, connecting, redirects, headers and content.
        largest: bytes of content; None: it is not read at all.
        redirects: whether to follow them.
        transport: instead of the network.

    Raises:
        EndlessError: there is more content than that.
        httpx.TimeoutException: it did not come to its end in time.
        httpx.HTTPError, httpx.InvalidURL, ValueError: it cannot be asked, or what answers is no HTTP.
    """

    async def within_time() -> httpx.Response:
        async with asyncio.timeout(seconds):
            return await _fetch(request, seconds, largest, redirects=redirects, transport=transport)

    try:
        return asyncio.run(within_time())
    except TimeoutError:
        raise httpx.TimeoutException(f"no whole answer within {seconds:g} s", request=request) from None


async def _fetch(
    request: httpx.Request,
    seconds: float,
    largest: int | None,
    *,
    redirects: bool,
    transport: httpx.AsyncBaseTransport | None,
) -> httpx.Response:
    content = bytearray()
    async with httpx.AsyncClient(timeout=seconds, verify=_certificates(), transport=transport) as client:
        answer = await client.send(request, stream=True, follow_redirects=redirects)
        try:
            if largest is not None:
                async for chunk in answer.aiter_bytes():
                    content += chunk
                    if len(content) > largest:
                        raise EndlessError(f"the answer is longer than {largest} bytes")
        finally:
            await answer.aclose()
    return httpx.Response(
        answer.status_code, headers=_undone(answer.headers), content=bytes(content), request=answer.request
    )


def _undone(headers: httpx.Headers) -> httpx.Headers:
    """The headers of an answer whose content is unpacked already."""
    kept = headers.copy()
    for name in ("Content-Encoding", "Content-Length", "Transfer-Encoding"):
        kept.pop(name, None)
    return kept


@cache
def _certificates() -> ssl.SSLContext:
    """Loaded once: it takes longer than most answers."""
    return httpx.create_ssl_context()
