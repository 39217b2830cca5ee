"""Answers that do not end, from a server in this process that gives up after a while: a test fails, and never hangs."""

import itertools
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress

import httpx
import pytest

from deploytag.delivery.diagnosis import verify
from deploytag.delivery.fetch import EndlessError, fetch, why
from deploytag.delivery.removal.registry import Registry
from deploytag.settings import Verify

BEATS = 100
"""Pieces that a server sends before it gives up."""

Send = Callable[[bytes], None]
Answer = Callable[[Send, threading.Event], None]


def slowly(begin: bytes, piece: bytes, end: bytes = b"") -> Answer:
    """Sends `piece` again and again, each long before a reader loses its patience with one read."""

    def answer(send: Send, gone: threading.Event) -> None:
        send(begin)
        for _ in itertools.takewhile(lambda _: not gone.wait(0.05), range(BEATS)):
            send(piece)
        send(end)

    return answer


OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
RIGHT = b'{"revision": "abc"}'
WHOLE = b"Content-Length: 19\r\n\r\n" + RIGHT
DRIPPING = {
    "headers": slowly(OK + b"X-Long: ", b"x", b"\r\n" + WHOLE),
    "provisional answers": slowly(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n", OK + WHOLE),
    "content": slowly(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n", b"13\r\n" + RIGHT + b"\r\n0\r\n\r\n"),
}


@contextmanager
def serving(answer: Answer) -> Iterator[str]:
    """The address, as in a URL, of a server that answers every question so."""
    gone = threading.Event()

    def one(connection: socket.socket) -> None:
        with closing(connection), suppress(OSError):
            connection.recv(1 << 16)
            answer(connection.sendall, gone)

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=one, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            gone.set()
            listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("what", sorted(DRIPPING))
def test_an_answer_that_comes_byte_by_byte_has_its_time(what: str) -> None:
    with serving(DRIPPING[what]) as address, pytest.raises(httpx.TimeoutException, match="no whole answer"):
        fetch("GET", f"http://{address}", seconds=0.5, largest=1000)


def test_an_answer_may_be_only_so_long() -> None:
    def answer(send: Send, _: threading.Event) -> None:
        send(OK + b"Content-Length: 1001\r\n\r\n" + b" " * 1001)

    with serving(answer) as address:
        assert len(fetch("GET", f"http://{address}", seconds=20, largest=1001).content) == 1001
        with pytest.raises(EndlessError, match="longer than 1000 bytes"):
            fetch("GET", f"http://{address}", seconds=20, largest=1000)


def test_content_that_nobody_wants_is_not_waited_for() -> None:
    with serving(slowly(OK + b"X-Revision: abc\r\n\r\n", b" ")) as address:
        found = fetch("GET", f"http://{address}", seconds=20, largest=None)
    assert (found.headers["X-Revision"], found.content) == ("abc", b"")


def test_an_answer_that_began_is_told_from_none() -> None:
    with serving(DRIPPING["content"]) as address, pytest.raises(httpx.ReadTimeout):
        fetch("GET", f"http://{address}", seconds=0.5, largest=1000)
    with serving(DRIPPING["headers"]) as address, pytest.raises(httpx.TimeoutException) as raised:
        fetch("GET", f"http://{address}", seconds=0.5, largest=1000)
    assert not isinstance(raised.value, httpx.ReadTimeout)


def test_a_name_server_that_is_silent_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: gone.wait(60) and [])
    try:
        with pytest.raises(httpx.TimeoutException):
            fetch("GET", "http://name.test", seconds=0.5, largest=None)
        assert not gone.is_set()
    finally:
        gone.set()


def test_what_is_asked_says_who_asks() -> None:
    """Firewalls refuse requests that do not."""
    seen: dict[str, str] = {}

    def answer(request: httpx.Request) -> httpx.Response:
        seen.update(request.headers)
        return httpx.Response(204)

    fetch("GET", "https://app.test", seconds=20, largest=None, transport=httpx.MockTransport(answer))
    assert {"user-agent", "accept", "accept-encoding"} <= seen.keys()


def test_a_failure_has_a_reason() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # and does not listen
        with pytest.raises(httpx.ConnectError) as raised:
            fetch("GET", f"http://127.0.0.1:{bound.getsockname()[1]}", seconds=20, largest=None)
    assert "Errno 111" in why(raised.value)
    with serving(lambda *_: None) as address, pytest.raises(httpx.HTTPError) as raised_too:
        fetch("GET", f"http://{address}", seconds=20, largest=None)
    assert why(raised_too.value)


def test_what_comes_in_time_is_the_answer() -> None:
    with serving(lambda send, _: send(OK + WHOLE)) as address:
        assert verify.shows(f"http://{address}", Verify(json_path=("revision",)), "abc")


@pytest.mark.parametrize("what", sorted(DRIPPING))
def test_an_application_cannot_keep_its_run(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    monkeypatch.setattr(verify, "TRY", 0.5)
    with serving(DRIPPING[what]) as address:
        assert not verify.shows(f"http://{address}", Verify(json_path=("revision",)), "abc")


def test_a_registry_without_tls_is_found_out() -> None:
    def answer(send: Send, _: threading.Event) -> None:
        send(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

    with serving(answer) as address:
        assert Registry(address, {}).images("shop/app") == []
