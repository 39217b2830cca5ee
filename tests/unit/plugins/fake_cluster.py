"""A cluster in memory: enough of one to see what the plugin asks of it and how it takes the answers."""

import copy
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from sandbox.plugins.kubernetes.cluster import ApiError, Endpoint, TimedOutError, UnknownKindError
from sandbox.plugins.kubernetes.kinds import Kind
from sandbox.plugins.kubernetes.objects import Object
from sandbox.plugins.kubernetes.settings import Settings
from sandbox.plugins.provider import AlreadyExistsError, Cancellation, UnreachableError

CLUSTER_SCOPED = {"Namespace"}
UNKNOWN_GROUP = "unknown.example.com"


class FakeCluster:
    """Holds objects by path; `decide`s see them once, then time is up."""

    def __init__(self, *objects: Object, down: str = "", refuses: ApiError | None = None) -> None:
        self.settings = Settings()
        self.cancellation = Cancellation()
        self.connection = SimpleNamespace(namespace="default")
        self.default_namespace = "default"
        self.down = down
        self.refuses = refuses
        self.requests: list[tuple[str, str]] = []
        self.objects: dict[str, Object] = {}
        for obj in objects:
            self.objects[self._path(obj)] = obj

    def _path(self, obj: Object) -> str:
        endpoint = self.endpoint(Kind.of(obj["apiVersion"], obj["kind"]))
        return endpoint.path(obj["metadata"].get("namespace") or "", obj["metadata"]["name"])

    def reachable(self) -> str:
        return self.down

    def endpoint(self, kind: Kind) -> Endpoint:
        if self.down:
            raise UnreachableError(self.down)
        if kind.group == UNKNOWN_GROUP:
            raise UnknownKindError(f"the cluster has no kind {kind}")
        return Endpoint(kind, kind.kind.lower() + "s", kind.kind not in CLUSTER_SCOPED)

    def get(self, endpoint: Endpoint, namespace: str, name: str) -> Object | None:
        return copy.deepcopy(self.objects.get(endpoint.path(namespace, name)))

    def create(self, endpoint: Endpoint, obj: Object, manager: str, *, dry_run: bool) -> Object:
        path = self._path(obj)
        self.requests.append(("dry create" if dry_run else "create", path))
        if self.refuses:
            raise self.refuses
        if path in self.objects:
            raise AlreadyExistsError(f'"{obj["metadata"]["name"]}" already exists')
        return self._written(path, obj, dry_run)

    def apply(self, endpoint: Endpoint, obj: Object, manager: str, *, force: bool, dry_run: bool) -> Object:
        path = self._path(obj)
        verb = "apply" + (" by force" if force else "")
        self.requests.append((f"dry {verb}" if dry_run else verb, path))
        if self.refuses:
            raise self.refuses
        return self._written(path, obj, dry_run)

    def _written(self, path: str, obj: Object, dry_run: bool) -> Object:
        live = copy.deepcopy({**obj, "metadata": {**obj["metadata"], "uid": "u", "resourceVersion": "1"}, "status": {}})
        if not dry_run:
            self.objects[path] = live
        return copy.deepcopy(live)

    def request(self, method: str, path: str, body: Any = None, **parameters: Any) -> Object:
        self.requests.append((method, path))
        live = self.objects[path]
        if method == "delete" and not live["metadata"].get("finalizers"):
            del self.objects[path]
        return live

    def await_object(
        self,
        endpoint: Endpoint,
        namespace: str,
        name: str,
        decide: Callable[[Object | None], Any],
        *,
        timeout: float,
        what: str,
    ) -> Any:
        self.cancellation.check(what)
        result = decide(self.get(endpoint, namespace, name))
        if result is None:
            raise TimedOutError(f"Timed out after {timeout:.0f} s waiting for {what}.")
        return result
