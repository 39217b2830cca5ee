"""Requests to the API server: plain dictionaries in and out, errors as sentences, waiting by watching."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from sandbox.plugins.kubernetes.connection import Connection, connect
from sandbox.plugins.kubernetes.kinds import Kind
from sandbox.plugins.kubernetes.objects import Object
from sandbox.plugins.kubernetes.settings import Settings
from sandbox.plugins.provider import AlreadyExistsError, Cancellation, NotFoundError, ProviderError, UnreachableError

_TIMEOUT: Final = (5.0, 60.0)  # connect, read
_WATCH_SECONDS: Final = 2
_PAUSE: Final = 0.5  # before asking again
Result = TypeVar("Result")


class ApiError(ProviderError):
    """The API server refused a request."""

    def __init__(self, message: str, code: int, reason: str):
        """Keep what decisions are made on."""
        super().__init__(message)
        self.code = code
        self.reason = reason


class UnknownKindError(ProviderError):
    """The cluster does not have this kind."""


class TimedOutError(ProviderError):
    """What was awaited did not come in time."""


@dataclass(frozen=True)
class Endpoint:
    """Where objects of a kind are served."""

    kind: Kind
    plural: str
    namespaced: bool

    def path(self, namespace: str, name: str = "") -> str:
        """Return the URL path of an object, or of all of a namespace."""
        root = f"/apis/{self.kind.api_version}" if self.kind.group else f"/api/{self.kind.version}"
        middle = f"/namespaces/{namespace}" if self.namespaced else ""
        return f"{root}{middle}/{self.plural}" + (f"/{name}" if name else "")


class Cluster:
    """The cluster that the settings lead to; connects when first used."""

    def __init__(self, settings: Settings, cancellation: Cancellation) -> None:
        """Remember where to connect to."""
        self.settings = settings
        self.cancellation = cancellation
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._answered = False
        self._groups: dict[str, list[dict[str, Any]]] = {}

    @property
    def connection(self) -> Connection:
        """The connection, made once."""
        with self._lock:
            if self._connection is None:
                self._connection = connect(self.settings)
            return self._connection

    def request(self, method: str, path: str, body: Any = None, **parameters: Any) -> Object:
        """Send one request and return the decoded answer."""
        response = self._send(method, path, body, **parameters)
        answer: Object = json.loads(response.data)
        return answer

    def _send(self, method: str, path: str, body: Any = None, **parameters: Any) -> Any:
        connection = self.connection
        parameters.setdefault("_request_timeout", _TIMEOUT)
        try:
            return connection.client.request(method, path, body=body, serialize=False, **parameters)
        except ApiException as error:
            raise _api_error(error) from None
        except (HTTPError, OSError) as error:
            raise UnreachableError(
                f"configured Kubernetes cluster is unreachable: {connection.host} does not answer ({error})"
            ) from None

    @property
    def default_namespace(self) -> str:
        """Where an object goes that names no namespace; known also while there is no cluster to ask."""
        try:
            return self.connection.namespace
        except UnreachableError:
            return self.settings.namespace or "default"

    def reachable(self) -> str:
        """Return "" if the cluster answers, else why not."""
        if self._answered:
            return ""
        try:
            self.request("get", "/version")
        except UnreachableError as error:
            return str(error)
        except ApiError as error:
            return f"configured Kubernetes cluster is unreachable: {error}" if error.code == 401 else ""
        self._answered = True
        return ""

    def endpoint(self, kind: Kind) -> Endpoint:
        """Return where `kind` is served; what the cluster said once is remembered."""
        for fresh in (False, True):
            resources = self._resources(kind, fresh)
            for resource in resources:
                if resource["kind"] == kind.kind and "/" not in resource["name"]:
                    return Endpoint(kind, resource["name"], resource["namespaced"])
        raise UnknownKindError(
            f"the cluster has no kind {kind}. Verify that the apiVersion is right and that any required "
            "CustomResourceDefinitions have been created."
        )

    def _resources(self, kind: Kind, fresh: bool) -> list[dict[str, Any]]:
        version = kind.api_version
        if fresh or version not in self._groups:
            path = f"/apis/{version}" if kind.group else f"/api/{version}"
            try:
                self._groups[version] = self.request("get", path)["resources"]
            except NotFoundError:
                return []
        return self._groups[version]

    def get(self, endpoint: Endpoint, namespace: str, name: str) -> Object | None:
        """Return an object, None if there is none."""
        try:
            return self.request("get", endpoint.path(namespace, name))
        except NotFoundError:
            return None

    def create(self, endpoint: Endpoint, obj: Object, manager: str, *, dry_run: bool) -> Object:
        """Create an object; one of that name must not exist."""
        return self.request(
            "post",
            endpoint.path(obj["metadata"].get("namespace") or ""),
            obj,
            field_manager=manager,
            dry_run="All" if dry_run else None,
            query_params=[("fieldValidation", "Strict")],
        )

    def apply(self, endpoint: Endpoint, obj: Object, manager: str, *, force: bool, dry_run: bool) -> Object:
        """Apply an object server-side: what `manager` set before and is not in `obj` is removed."""
        return self.request(
            "patch",
            endpoint.path(obj["metadata"].get("namespace") or "", obj["metadata"]["name"]),
            json.dumps(obj),
            content_type="application/apply-patch+yaml",
            field_manager=manager,
            force_conflicts=force,
            dry_run="All" if dry_run else None,
            query_params=[("fieldValidation", "Strict")],
        )

    def await_object(
        self,
        endpoint: Endpoint,
        namespace: str,
        name: str,
        decide: Callable[[Object | None], Result | None],
        *,
        timeout: float,
        what: str,
    ) -> Result:
        """Watch an object until `decide` returns something for it (None: it does not exist).

        An API server that is away for a moment is waited for: what is awaited was made by then, and an error would
        make the caller forget it.
        """
        deadline = time.monotonic() + timeout
        while True:
            self.cancellation.check(what)
            trouble = ""
            try:
                live = self.get(endpoint, namespace, name)
                for obj in itertools.chain([live], self._watch(endpoint, namespace, name, live, deadline)):
                    result = decide(obj)
                    if result is not None:
                        return result
            except (UnreachableError, ApiError) as error:
                if not _may_pass(error):
                    raise
                trouble = f" {error}."
                self._pause(name, deadline)
            if time.monotonic() >= deadline:
                raise TimedOutError(f"Timed out after {timeout:.0f} s waiting for {what}.{trouble}")

    def _pause(self, what: str, deadline: float) -> None:
        self.cancellation.wait(min(_PAUSE, max(0.0, deadline - time.monotonic())), what)

    def _watch(
        self, endpoint: Endpoint, namespace: str, name: str, live: Object | None, deadline: float
    ) -> Iterator[Object | None]:
        """Yield the object at each change, for a moment: the server ends the watch so that a cancel is noticed."""
        if time.monotonic() >= deadline:
            return
        if live is None:
            # Nothing to watch from. The object is about to appear, or the caller's decision waits for another one.
            self._pause(name, deadline)
            return
        response = self._send(
            "get",
            endpoint.path(namespace),
            watch="true",
            field_selector=f"metadata.name={name}",
            resource_version=live["metadata"]["resourceVersion"],
            timeout_seconds=max(1, min(_WATCH_SECONDS, int(deadline - time.monotonic()))),
        )
        try:
            for event in _events(response):
                if event["type"] == "ERROR":  # for example: this resourceVersion is too old
                    return
                yield None if event["type"] == "DELETED" else event["object"]
        except (HTTPError, OSError, ValueError):
            # The connection broke, or something on the way answered. That ends the watch and not the wait.
            self._pause(name, deadline)
        finally:
            response.close()


def _events(response: Any) -> Iterator[Any]:
    buffer = b""
    for chunk in response.stream(amt=None):
        *lines, buffer = (buffer + chunk).split(b"\n")
        yield from map(json.loads, lines)


def _may_pass(error: UnreachableError | ApiError) -> bool:
    """Whether the same request may succeed a moment later."""
    return isinstance(error, UnreachableError) or error.code == 429 or error.code >= 500


def _api_error(error: Any) -> ProviderError:
    try:
        status = json.loads(error.body)
    except (TypeError, ValueError):
        status = {}
    message = status.get("message") or f"HTTP {error.status} {error.reason}"
    code, reason = int(error.status or 0), str(status.get("reason") or error.reason or "")
    if code == 0:
        return UnreachableError(f"configured Kubernetes cluster is unreachable: {error.reason}")
    if code == 404:
        return NotFoundError(message)
    if code == 409 and reason == "AlreadyExists":
        return AlreadyExistsError(message)
    return ApiError(message, code, reason)
