"""After a run that failed: whether what was deployed before is said to serve."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from deploytag.delivery.previous import telling_what_still_serves
from deploytag.delivery.progress import Progress
from deploytag.delivery.record import Deployed
from deploytag.delivery.report import failure
from deploytag.errors import DeploymentError, FailedTestsError, InterruptedRunError
from deploytag.settings import Verify

COMMIT = "a" * 40
SHOWN = Verify(header="X-Revision")


@contextmanager
def application(revision: str) -> Iterator[str]:
    """Answers with its revision, at the address that is yielded."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("X-Revision", revision)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def served(url: str) -> Deployed:
    return Deployed(revision=COMMIT, fingerprint="f", url=url, images=(), verified=datetime.now(UTC))


def fail(before: Deployed | None, error: Exception, verify: Verify = SHOWN) -> str:
    """A run that fails; what is said meanwhile."""
    said = io.StringIO()
    with pytest.raises(type(error)), telling_what_still_serves(before, verify, Progress(said)):
        raise error
    return said.getvalue()


@pytest.mark.parametrize("error", [DeploymentError("no"), FailedTestsError("2 failed")])
def test_what_still_serves_is_said_and_reported(error: Exception) -> None:
    with application(COMMIT) as url:
        assert f"{url} still serves {COMMIT[:12]}" in fail(served(url), error)
    assert failure(error).url == url


def test_nothing_is_claimed_of_what_does_not_show_that_it_is_the_version_before() -> None:
    error = DeploymentError("no")
    with application("b" * 40) as url:
        assert fail(served(url), error) == ""
        # It answers, and could be anything.
        assert fail(served(url), error, Verify()) == ""
    assert fail(served(url), error) == "", "nobody listens there any more"
    assert fail(None, error) == ""
    assert failure(error).url is None


def test_who_ends_a_run_is_not_kept_waiting() -> None:
    with application(COMMIT) as url:
        assert fail(served(url), InterruptedRunError("stopped")) == ""
