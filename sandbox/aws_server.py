"""Secrets Manager, S3, STS and IAM on one port: moto's server, with its state kept on disk."""

import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import run_simple

from sandbox.snapshots import Snapshots

READING = ("Get", "List", "Describe", "Head", "BatchGet")


class KeptApplication:
    """moto's application; an answer to a change is given when the change is on disk."""

    def __init__(self, snapshots: Snapshots) -> None:
        """Take up what was saved."""
        self._inner: Callable[..., Iterable[bytes]] = DomainDispatcherApplication(create_backend_app)
        self._snapshots = snapshots
        # One change at a time: a snapshot of something that changes underneath is none.
        self._changing = threading.Lock()
        snapshots.load()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request."""
        if not changes(environ["REQUEST_METHOD"], environ.get("HTTP_X_AMZ_TARGET", "")):
            return self._inner(environ, start_response)
        with self._changing:
            answer = self._inner(environ, start_response)
            self._snapshots.save(service(environ.get("HTTP_AUTHORIZATION", "")))
            return answer


def changes(method: str, target: str) -> bool:
    """Whether a request may change something: S3 says so by its method, Secrets Manager by its target."""
    if target:
        return not target.rpartition(".")[2].startswith(READING)
    return method not in ("GET", "HEAD", "OPTIONS")


def service(authorization: str) -> str:
    """The service a signed request is for: ... Credential=KEY/DATE/REGION/SERVICE/aws4_request, ..."""
    scope = authorization.partition("Credential=")[2].partition(",")[0].split("/")
    return scope[3] if len(scope) > 3 else ""


def main() -> None:
    """Serve until stopped: ADDRESS PORT FOLDER."""
    address, port, folder = sys.argv[1:]
    application: Any = KeptApplication(Snapshots(Path(folder)))
    run_simple(address, int(port), application, threaded=True, request_handler=MotoRequestHandler)


if __name__ == "__main__":
    main()
