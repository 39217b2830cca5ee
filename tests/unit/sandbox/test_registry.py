import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from sandbox import registry
from sandbox.errors import SandboxError


class Registry(BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        asked_for_images = "vnd.oci.image.index" in self.headers["Accept"]
        match self.path:
            case "/v2/library/redis/manifests/7" if asked_for_images:
                self.send_response(200)
                self.send_header("Docker-Content-Digest", "sha256:7")
            case "/v2/library/redis/manifests/broken":
                self.send_response(500)
            case _:
                self.send_response(404)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Registry)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_tag_has_a_digest(address: str) -> None:
    assert registry.digest(address, "library/redis", "7") == "sha256:7"


def test_what_is_not_there_has_none(address: str) -> None:
    assert registry.digest(address, "library/redis", "8") is None


def test_another_answer_is_an_error_and_not_absence(address: str) -> None:
    with pytest.raises(SandboxError, match=r"library/redis:broken failed: it answered 500"):
        registry.digest(address, "library/redis", "broken")


def test_a_registry_that_is_not_there_is_named() -> None:
    # Port 1 is reserved and nobody listens on it.
    with pytest.raises(SandboxError, match=r"the registry at 127\.0\.0\.1:1 .*refused"):
        registry.digest("127.0.0.1:1", "library/redis", "7")
