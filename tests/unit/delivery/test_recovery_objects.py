"""Objects of any kind, asked of an API server that accepts a request and says nothing."""

import json
import tempfile
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client
from urllib3.exceptions import HTTPError

from deploytag.api import Api
from deploytag.delivery.cluster import Cluster
from deploytag.delivery.recovery import namespaces, objects
from deploytag.delivery.recovery.namespaces import Condition
from deploytag.delivery.recovery.state import ObjectName

KIND = {"name": "things", "kind": "Thing", "namespaced": True, "verbs": ["get", "list", "delete"]}
GROUP = {"groupVersion": "test.io/v1", "version": "v1"}
DISCOVERY = {
    "/version": {"gitVersion": "v1.30.0"},
    "/apis": {"kind": "APIGroupList", "groups": [{"name": "test.io", "versions": [GROUP], "preferredVersion": GROUP}]},
    "/apis/test.io/v1": {"kind": "APIResourceList", "groupVersion": "test.io/v1", "resources": [KIND]},
    "/api/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": []},
}
THING = ObjectName("test.io/v1", "Thing", "shop-feature-test", "it")
REMAINS = Condition(
    "NamespaceContentRemaining", "Some resources are remaining: things.test.io has 1 resource instances"
)


@pytest.fixture
def silent_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Cluster]]:
    """A cluster that says which kinds it has, and nothing about paths that begin so."""
    # The client keeps there what kinds a server has.
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(objects, "TIMEOUT", 0.3)
    ended, silent = threading.Event(), [""]

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            if self.path.startswith(silent[0]):
                ended.wait(5)  # then the connection ends, and who waited fails otherwise
                return
            content = json.dumps(DISCOVERY[self.path]).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_DELETE = answer

        def log_message(self, *_: object) -> None:
            """Nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()

        def cluster(path: str) -> Cluster:
            silent[0] = path
            settings = client.Configuration()
            settings.host = f"http://127.0.0.1:{server.server_address[1]}"
            settings.retries = False
            return Cluster(Api(client.ApiClient(settings)))

        yield cluster
        ended.set()
        server.shutdown()


@pytest.mark.parametrize("path", ["/version", "/apis", "/apis/test.io/v1", "/apis/test.io/v1/namespaces"])
@pytest.mark.parametrize(
    "ask",
    [
        lambda cluster: objects.exists(cluster, THING),
        lambda cluster: objects.delete(cluster, THING),
        lambda cluster: namespaces._holders(cluster, THING.namespace, [REMAINS]),
    ],
    ids=["exists", "delete", "holders"],
)
def test_a_server_that_says_nothing_is_not_waited_for(
    ask: Callable[[Cluster], Any], path: str, silent_on: Callable[[str], Cluster]
) -> None:
    with pytest.raises(HTTPError, match="timed out"):
        ask(silent_on(path))
