"""An API server's ConfigMaps, in memory."""

import copy
from typing import Any

from kubernetes.client import ApiClient, Configuration, V1ConfigMap, V1ConfigMapList, V1DeleteOptions, V1ListMeta
from kubernetes.client.exceptions import ApiException

from deploytag.delivery.cluster import Cluster


class ConfigMaps:
    """The part of `CoreV1Api` that records are made of."""

    def __init__(self) -> None:
        self.stored: dict[str, V1ConfigMap] = {}
        self.version = 0
        self.missing_namespace = False
        self.refuse: int | None = None
        self.forgets_pages = False
        """Whether it answers 410 to whoever asks for a further page."""
        self.lists = 0
        self.interferences = 0
        """How many of the next writes find that somebody else was faster."""

    def read_namespaced_config_map(self, name: str, namespace: str, *, _request_timeout: float) -> V1ConfigMap:
        """GET."""
        self._answer()
        if name not in self.stored:
            raise ApiException(404, "NotFound")
        return copy.deepcopy(self.stored[name])

    def create_namespaced_config_map(self, namespace: str, body: V1ConfigMap, *, _request_timeout: float) -> None:
        """POST."""
        self._answer()
        if self.missing_namespace:
            raise ApiException(404, "namespaces not found")
        name = _meta(body).name
        if name in self.stored or self._interferes():
            raise ApiException(409, "AlreadyExists")
        self._store(body, f"uid-{self.version}")

    def replace_namespaced_config_map(
        self, name: str, namespace: str, body: V1ConfigMap, *, _request_timeout: float
    ) -> None:
        """PUT."""
        self._answer()
        if (there := self.stored.get(name)) is None:
            raise ApiException(404, "NotFound")
        versions = _meta(body).resource_version, _meta(there).resource_version
        if versions[0] != versions[1] or _meta(body).uid != _meta(there).uid or self._interferes():
            raise ApiException(409, "Conflict")
        self._store(body, _meta(there).uid)

    def delete_namespaced_config_map(
        self, name: str, namespace: str, *, body: V1DeleteOptions, _request_timeout: float
    ) -> None:
        """DELETE."""
        self._answer()
        if (there := self.stored.get(name)) is None:
            raise ApiException(404, "NotFound")
        if body.preconditions and body.preconditions.uid != _meta(there).uid:
            raise ApiException(409, "Conflict")
        del self.stored[name]

    def list_namespaced_config_map(
        self,
        namespace: str,
        *,
        label_selector: str,
        _request_timeout: float,
        limit: int | None = None,
        _continue: str | None = None,
    ) -> V1ConfigMapList:
        """GET of the collection, in pages."""
        self._answer()
        self.lists += 1
        if _continue and self.forgets_pages:
            raise ApiException(410, "Expired")
        wanted = dict(part.split("=") for part in label_selector.split(","))
        names = [
            name for name, one in sorted(self.stored.items()) if wanted.items() <= (_meta(one).labels or {}).items()
        ]
        begin = int(_continue or 0)
        end = begin + (limit or len(names))
        metadata = V1ListMeta(_continue=str(end) if end < len(names) else None)
        return V1ConfigMapList(items=[copy.deepcopy(self.stored[name]) for name in names[begin:end]], metadata=metadata)

    def _answer(self) -> None:
        if self.refuse:
            raise ApiException(self.refuse, "refused")

    def _interferes(self) -> bool:
        self.interferences -= 1
        return self.interferences >= 0

    def _store(self, body: V1ConfigMap, uid: str) -> None:
        self.version += 1
        stored = copy.deepcopy(body)
        _meta(stored).uid, _meta(stored).resource_version = uid, str(self.version)
        self.stored[_meta(stored).name] = stored


class ConfigMapCluster(Cluster):
    """A cluster that has only those."""

    def __init__(self, config_maps: ConfigMaps) -> None:
        super().__init__(ApiClient(Configuration(host="https://cluster.test:6443")))
        object.__setattr__(self, "config_maps", config_maps)

    @property
    def core(self) -> Any:
        """The ConfigMaps."""
        return self.config_maps  # type: ignore[attr-defined]


def _meta(one: V1ConfigMap) -> Any:
    return one.metadata
