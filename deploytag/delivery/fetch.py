"""One HTTP question whose whole answer has a limit of time and size: httpx's own are for each read by itself, so that
whoever sends a byte now and then could keep a run for ever."""

import asyncio
import ssl
from collections.abc import Mapping
from functools import cache

import httpx

from deploytag.preflight.patience import ask


class EndlessError(httpx.HTTPError):
    """An answer is longer than it may be."""


def fetch(
    method: str,
    url: str,
    *,
    seconds: float,
    largest: int | None,
    headers: Mapping[str, str] | None = None,
    params: Mapping[str, str] | None = None,
    form: Mapping[str, str] | None = None,
    redirects: bool = False,
    transport: httpx.AsyncBaseTransport | None = None,
) -> httpx.Response:
    """What answers. Each question has a connection of its own.

    Args:
        method: such as `GET`.
        url: what is asked.
        seconds: for everything: finding the address, connecting, redirects, headers and content.
        largest: bytes of content; None: it is not read at all.
        headers: beside httpx's own.
        params: the query.
        form: what is sent, as a form.
        redirects: whether to follow them.
        transport: instead of the network.

    Raises:
        EndlessError: there is more content than that.
        httpx.ReadTimeout: it began, and did not come to its end in time.
        httpx.TimeoutException: it did not even begin in time.
        httpx.HTTPError, httpx.InvalidURL, ValueError: it cannot be asked, or what answers is no HTTP.
    """

    async def answer() -> httpx.Response:
        begun = False
        try:
            async with (
                asyncio.timeout(seconds),
                httpx.AsyncClient(timeout=seconds, verify=_certificates(), transport=transport) as client,
            ):
                request = client.build_request(method, url, headers=headers, params=params, data=form)
                response = await client.send(request, stream=True, follow_redirects=redirects)
                begun = True
                try:
                    content = b"" if largest is None else await _content(response, largest)
                finally:
                    await response.aclose()
        except TimeoutError:
            kind = httpx.ReadTimeout if begun else httpx.TimeoutException
            raise kind(f"no whole answer within {seconds:g} s") from None
        return httpx.Response(
            response.status_code, headers=_undone(response.headers), content=content, request=response.request
        )

    try:
        # A name server that is silent cannot be told to stop, and asyncio waits for such a question when it ends.
        return asyncio.run(ask(seconds + 1, lambda: asyncio.run(answer())))
    except TimeoutError:
        raise httpx.TimeoutException(f"no address found within {seconds:g} s") from None


def why(error: Exception) -> str:
    """What a person is told of a question that failed: httpx's own words, or those of what is behind them."""
    cause: BaseException | None = error
    said = type(error).__name__
    while cause is not None:
        # httpcore raises some of them `from None`, and with words that say nothing.
        said, cause = str(cause) or said, cause.__cause__ or cause.__context__
    return said


async def _content(response: httpx.Response, largest: int) -> bytes:
    content = bytearray()
    async for chunk in response.aiter_bytes():
        content += chunk
        if len(content) > largest:
            raise EndlessError(f"the answer is longer than {largest} bytes")
    return bytes(content)


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
