"""An API server that holds pods only, and breaks when it is told to."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from typing import Any
from urllib.parse import parse_qs, urlsplit

from kubernetes import client

from deploytag.api import Api
from deploytag.delivery.cluster import Cluster


@dataclass
class ApiServer:
    """What it answers; a test changes it while it is asked."""

    items: list[dict[str, Any]] = field(default_factory=list)
    version: int = 1
    status: int = 200
    asked: Queue[dict[str, str]] = field(default_factory=Queue)
    """The parameters of each request."""
    accepted: Queue[str] = field(default_factory=Queue)
    """The kind of answer that each request asked for."""
    deletions: Queue[dict[str, Any]] = field(default_factory=Queue)
    """The options of each deletion."""
    said: Queue[dict[str, Any] | None] = field(default_factory=Queue)
    """What the watch says next; None ends it."""
    port: int = 0

    @property
    def cluster(self) -> Cluster:
        settings = client.Configuration()
        settings.host = f"http://127.0.0.1:{self.port}"
        settings.retries = False
        return Cluster(Api(client.ApiClient(settings)))


@contextmanager
def api_server() -> Iterator[ApiServer]:
    """One that listens on a port of this machine."""
    state = ApiServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parameters = {key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()}
            state.asked.put(parameters)
            state.accepted.put(self.headers["Accept"])
            if "watch" in parameters and state.status == 200:
                self._watch()
                return
            content = json.dumps({"metadata": {"resourceVersion": str(state.version)}, "items": state.items}).encode()
            self.send_response(state.status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_DELETE(self) -> None:
            state.deletions.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(state.status)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def _watch(self) -> None:
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            while (change := state.said.get()) is not None:
                # In two parts, as a line may come.
                content = json.dumps(change).encode() + b"\n"
                for part in (content[:5], content[5:]):
                    self.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
                    self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")

        def log_message(self, *_: object) -> None:
            """Nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *_: object) -> None:
            """Nothing: a client that goes away is what is tested."""

    with Server(("127.0.0.1", 0), Handler) as server:
        state.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield state
        server.shutdown()


def raw_pod(name: str, version: int, phase: str = "Running") -> dict[str, Any]:
    return {
        "metadata": {
            "name": name,
            "uid": name,
            "creationTimestamp": "2026-11-23T08:00:00Z",
            "resourceVersion": str(version),
        },
        "status": {"phase": phase, "conditions": None},
    }


def change(kind: str, pod: dict[str, Any]) -> dict[str, Any]:
    return {"type": kind, "object": pod}


def error(code: int) -> dict[str, Any]:
    return {"type": "ERROR", "object": {"kind": "Status", "code": code, "message": "trouble"}}
