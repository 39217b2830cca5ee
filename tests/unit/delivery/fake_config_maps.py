"""An API server's ConfigMaps, in memory."""

import copy
from typing import Any

from kubernetes.client import ApiClient, Configuration
from kubernetes.client.exceptions import ApiException

from deploytag.api import CONFIG_MAPS, Api, Listing, Object, Resource, Timeout, Written


class ConfigMaps(Api):
    """The part of the API that records are made of."""

    def __init__(self) -> None:
        super().__init__(ApiClient(Configuration(host="https://cluster.test:6443")))
        self.stored: dict[str, Object] = {}
        self.version = 0
        self.missing_namespace = False
        self.refuse: int | None = None
        self.forgets_pages = False
        """Whether it answers 410 to whoever asks for a further page."""
        self.lists = 0
        self.interferences = 0
        """How many of the next writes find that somebody else was faster."""

    def get(self, resource: Resource, name: str, namespace: str | None = None, *, timeout: Timeout) -> Object:
        """GET."""
        self._answer(resource)
        if name not in self.stored:
            raise ApiException(404, "NotFound")
        return copy.deepcopy(self.stored[name])

    def create(self, resource: Resource, body: Object, namespace: str | None = None, *, timeout: Timeout) -> Written:
        """POST."""
        self._answer(resource)
        if self.missing_namespace:
            raise ApiException(404, "namespaces not found")
        if body["metadata"]["name"] in self.stored or self._interferes():
            raise ApiException(409, "AlreadyExists")
        return Written(self.store(body, f"uid-{self.version}"))

    def replace(self, resource: Resource, body: Object, namespace: str | None = None, *, timeout: Timeout) -> Written:
        """PUT."""
        self._answer(resource)
        if (there := self.stored.get(body["metadata"]["name"])) is None:
            raise ApiException(404, "NotFound")
        wanted, known = ([it["metadata"].get(key) for key in ("uid", "resourceVersion")] for it in (body, there))
        if wanted != known or self._interferes():
            raise ApiException(409, "Conflict")
        return Written(self.store(body, there["metadata"]["uid"]))

    def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str | None = None,
        *,
        timeout: Timeout,
        uid: str | None = None,
        version: str | None = None,
        foreground: bool = False,
    ) -> None:
        """DELETE."""
        self._answer(resource)
        there = self.stored.get(name)
        if there and uid in {None, there["metadata"]["uid"]}:
            del self.stored[name]

    def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        timeout: Timeout,
        labels: str | None = None,
        fields: str | None = None,
        limit: int | None = None,
        more: str | None = None,
        metadata_only: bool = False,
    ) -> Listing[Object]:
        """GET of the collection, in pages."""
        self._answer(resource)
        self.lists += 1
        if more and self.forgets_pages:
            raise ApiException(410, "Expired")
        wanted = dict(part.split("=") for part in (labels or "").split(",") if part)
        names = [name for name, it in sorted(self.stored.items()) if wanted.items() <= it["metadata"]["labels"].items()]
        begin = int(more or 0)
        end = begin + (limit or len(names))
        found = [copy.deepcopy(self.stored[name]) for name in names[begin:end]]
        return Listing(found, str(self.version), str(end) if end < len(names) else None)

    def store(self, body: Object, uid: str) -> Object:
        """Have it, at a new version."""
        self.version += 1
        stored = copy.deepcopy(body)
        stored["metadata"] |= {"uid": uid, "resourceVersion": str(self.version)}
        self.stored[stored["metadata"]["name"]] = stored
        return copy.deepcopy(stored)

    def _answer(self, resource: Resource) -> None:
        assert resource == CONFIG_MAPS
        if self.refuse:
            raise ApiException(self.refuse, "refused")

    def _interferes(self) -> bool:
        self.interferences -= 1
        return self.interferences >= 0


class Bare(ConfigMaps):
    """A cluster in which there is nothing but what is remembered."""

    def list(self, *_: Any, **__: Any) -> Listing[Object]:
        """None of any kind."""
        return Listing([], str(self.version), None)
