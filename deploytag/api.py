"""The Kubernetes API, asked and answered in JSON, which is what it speaks.

Connection, credentials and requests are those of the official client. Its typed APIs are not used: to import the ones
of pods and Deployments makes some four hundred models, which took a short command more processor time than everything
else that it does (docs/measured.md).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from kubernetes.client import ApiClient
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic import DynamicClient
from urllib3 import HTTPResponse

from deploytag.documents import DocumentError, parse_json

Item = TypeVar("Item")

Object = dict[str, Any]
"""An object, its keys as the API has them (`metadata`, `resourceVersion`)."""

Timeout = float | tuple[float, float]
"""Seconds for the whole answer, or for connecting and between two bytes."""

LONGEST_LINE = 4 << 20
"""Bytes: more than any object of a cluster, and more than a program can mean by one line of its log."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind of object by its place in the API, as in `Resource("apps", "v1", "deployments")`."""

    group: str
    """Empty: the core group."""
    version: str
    plural: str

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """The path of all objects of this kind, of those in a namespace, of one of them, or of its subresource."""
        parts = ["apis", self.group, self.version] if self.group else ["api", self.version]
        parts += ["namespaces", namespace] if namespace else []
        parts += [part for part in (self.plural, name, subresource) if part]
        return "/" + "/".join(quote(part, safe="") for part in parts)


NAMESPACES = Resource("", "v1", "namespaces")
CONFIG_MAPS = Resource("", "v1", "configmaps")
SECRETS = Resource("", "v1", "secrets")
SERVICES = Resource("", "v1", "services")
SERVICE_ACCOUNTS = Resource("", "v1", "serviceaccounts")
PERSISTENT_VOLUMES = Resource("", "v1", "persistentvolumes")
RESOURCE_QUOTAS = Resource("", "v1", "resourcequotas")
LIMIT_RANGES = Resource("", "v1", "limitranges")
PODS = Resource("", "v1", "pods")
EVENTS = Resource("", "v1", "events")
DEPLOYMENTS = Resource("apps", "v1", "deployments")
STATEFUL_SETS = Resource("apps", "v1", "statefulsets")
REPLICA_SETS = Resource("apps", "v1", "replicasets")
DAEMON_SETS = Resource("apps", "v1", "daemonsets")
JOBS = Resource("batch", "v1", "jobs")
CRON_JOBS = Resource("batch", "v1", "cronjobs")
LEASES = Resource("coordination.k8s.io", "v1", "leases")
ENDPOINT_SLICES = Resource("discovery.k8s.io", "v1", "endpointslices")
NETWORK_POLICIES = Resource("networking.k8s.io", "v1", "networkpolicies")
ROLE_BINDINGS = Resource("rbac.authorization.k8s.io", "v1", "rolebindings")
CLUSTER_ROLES = Resource("rbac.authorization.k8s.io", "v1", "clusterroles")
ACCESS_REVIEWS = Resource("authorization.k8s.io", "v1", "selfsubjectaccessreviews")

_DRY_RUN = {"dryRun": "All"}


@dataclass(frozen=True, slots=True)
class Listing(Generic[Item]):
    """What a listing found."""

    items: Sequence[Item]
    version: str
    """From where a watch goes on."""
    more: str | None = None
    """The token of the next page; None: this is the last."""
    date: datetime | None = None
    """The API server's time, to the second; None: it did not say."""


@dataclass(frozen=True, slots=True)
class Written:
    """What a write made of an object."""

    item: Object
    date: datetime | None = None
    """The API server's time, to the second; None: it did not say."""


class Api:
    """One cluster's API server, asked through one connection pool.

    Every request raises `kubernetes.client.exceptions.ApiException` when the server refuses it,
    `urllib3.exceptions.HTTPError` when there is no answer in time, and `DocumentError` when the answer is not what the
    API says.
    """

    def __init__(self, client: ApiClient) -> None:
        self.client = client

    @property
    def host(self) -> str:
        """The server's URL."""
        return str(self.client.configuration.host)

    def get(self, resource: Resource, name: str, namespace: str | None = None, *, timeout: Timeout) -> Object:
        """One object."""
        return _object(self.open(resource.path(namespace, name), timeout=timeout))

    def find(self, resource: Resource, name: str, namespace: str | None = None, *, timeout: Timeout) -> Object | None:
        """One object; None: there is none."""
        try:
            return self.get(resource, name, namespace, timeout=timeout)
        except ApiException as error:
            if error.status == 404:
                return None
            raise

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
        """The objects of a kind, in one namespace or in all; with `limit` one page of them.

        Args:
            resource: what to list.
            namespace: where; None: everywhere.
            timeout: see `Timeout`.
            labels: selects by labels.
            fields: selects by fields.
            limit: objects in one answer.
            more: the token of the page.
            metadata_only: whether the server is to leave out everything else.
        """
        query = {"labelSelector": labels, "fieldSelector": fields, "limit": limit, "continue": more}
        accept = METADATA_ONLY.format("List") if metadata_only else None
        response = self.open(resource.path(namespace), timeout=timeout, accept=accept, query=query)
        return listing(document(response), date_of(response.headers))

    def create(self, resource: Resource, body: Object, namespace: str | None = None, *, timeout: Timeout) -> Written:
        """Make an object; what it is now."""
        return _written(self._request("post", resource.path(namespace), body, timeout=timeout))

    def would_create(self, resource: Resource, body: Object, namespace: str, *, timeout: Timeout) -> Written:
        """What `create` would make, if it is allowed to; nothing is made."""
        return _written(self._request("post", resource.path(namespace), body, timeout=timeout, query=_DRY_RUN))

    def replace(self, resource: Resource, body: Object, namespace: str | None = None, *, timeout: Timeout) -> Written:
        """Write over the object that `body` names; what it is now."""
        return _written(self._request("put", resource.path(namespace, body["metadata"]["name"]), body, timeout=timeout))

    def patch(
        self,
        resource: Resource,
        name: str,
        patch: Object,
        namespace: str | None = None,
        *,
        timeout: Timeout,
    ) -> Written:
        """Change what `patch` says (RFC 7386); what the object is now."""
        return _written(self._request("patch", resource.path(namespace, name), patch, timeout=timeout))

    def would_patch(self, resource: Resource, name: str, patch: Object, *, timeout: Timeout) -> Written:
        """What `patch` would make of an object, if it is allowed to; nothing is changed."""
        return _written(self._request("patch", resource.path(None, name), patch, timeout=timeout, query=_DRY_RUN))

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
        """Delete an object; that it is gone already is no error.

        Args:
            resource: what it is.
            name: its name.
            namespace: where it is.
            timeout: see `Timeout`.
            uid: only the one of this uid; one that has its place by now stays.
            version: only if nobody has changed it since this version, or the server answers 409.
            foreground: whether it is to go only after everything that it owns.
        """
        preconditions = {"uid": uid} if uid else {}
        preconditions |= {"resourceVersion": version} if version else {}
        options: Object = {"preconditions": preconditions} if preconditions else {}
        options |= {"propagationPolicy": "Foreground"} if foreground else {}
        # 409 for a uid alone: another one has its place, which nobody asked to remove.
        gone = {404, 409} if uid and not version else {404}
        try:
            self._request("delete", resource.path(namespace, name), options, timeout=timeout).drain_conn()
        except ApiException as error:
            if error.status not in gone:
                raise

    def watch(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        version: str,
        seconds: int,
        timeout: Timeout,
        labels: str | None = None,
        fields: str | None = None,
        metadata_only: bool = False,
    ) -> HTTPResponse:
        """What changes after `version`, for so many seconds: a JSON object in each of the answer's `lines`."""
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": seconds,
            "labelSelector": labels,
            "fieldSelector": fields,
        }
        accept = METADATA_ONLY.format("") if metadata_only else None
        return self.open(resource.path(namespace), timeout=timeout, accept=accept, query=query)

    def open(
        self, path: str, *, timeout: Timeout, accept: str | None = None, query: Mapping[str, object] | None = None
    ) -> HTTPResponse:
        """GET of any path; the answer is not read yet, and whoever asked has to close it."""
        return self._request("get", path, timeout=timeout, accept=accept, query=query)

    def _request(
        self,
        method: str,
        path: str,
        body: Object | None = None,
        *,
        timeout: Timeout,
        accept: str | None = None,
        query: Mapping[str, object] | None = None,
    ) -> HTTPResponse:
        # Only its requests are used, for which it need not know what the server has.
        dynamic = DynamicClient(self.client, discoverer=lambda *_: None)  # type: ignore[no-untyped-call]
        response: HTTPResponse = dynamic.request(
            method,
            path,
            body=body,
            query_params=[(name, value) for name, value in (query or {}).items() if value is not None],
            header_params={"Accept": accept or "application/json"},
            content_type="application/merge-patch+json" if method == "patch" else "application/json",
            serialize=False,
            _request_timeout=timeout,
        )
        return response


METADATA_ONLY = "application/json;as=PartialObjectMetadata{};g=meta.k8s.io;v=v1"
"""What one accepts who needs no more than the metadata: of one object, or of a `List`."""


def document(response: HTTPResponse) -> Object:
    """The whole of an answer.

    Raises:
        DocumentError: it is no JSON object.
    """
    try:
        content = parse_json(response.data)
    finally:
        response.close()
    if not isinstance(content, dict):
        raise DocumentError("the answer is no JSON object")
    return content


def lines(response: HTTPResponse) -> Iterator[bytes]:
    """The whole lines of an answer that is still being written; what is longer than any line comes in pieces."""
    buffer = b""
    for chunk in response.stream(amt=None):
        *lines, buffer = (buffer + chunk).split(b"\n")
        yield from lines
        if len(buffer) > LONGEST_LINE:
            yield buffer
            buffer = b""


def date_of(headers: Mapping[str, str] | None) -> datetime | None:
    """The API server's time in an answer's headers, to the second; None: it does not say. Pure."""
    try:
        said = parsedate_to_datetime((headers or {})["Date"])
    except (KeyError, ValueError, TypeError, OverflowError):
        return None
    return said if said.tzinfo else None


def listing(content: Object, date: datetime | None = None) -> Listing[Object]:
    """What an answer to `list` says; something without metadata is no object, and left out. Pure.

    Raises:
        DocumentError: it is no listing.
    """
    metadata, items = content.get("metadata") or {}, content.get("items") or []
    if not isinstance(metadata, dict) or not isinstance(items, list):
        raise DocumentError("the answer is no listing")
    more = metadata.get("continue")
    return Listing(
        [item for item in items if _is_object(item)], str(metadata.get("resourceVersion") or ""), more or None, date
    )


def annotations_of(it: Object) -> dict[str, str]:
    """Its annotations."""
    return it["metadata"].get("annotations") or {}


def deleted_at(it: Object) -> datetime | None:
    """When it was told to go; None: nobody told it.

    Raises:
        DocumentError: what it says is no time.
    """
    said = it["metadata"].get("deletionTimestamp")
    if said is None:
        return None
    try:
        return datetime.fromisoformat(said)
    except (TypeError, ValueError):
        raise DocumentError(f"{said!r} is no time") from None


def _object(response: HTTPResponse) -> Object:
    content = document(response)
    if not _is_object(content):
        raise DocumentError("the answer is no object of the API")
    return content


def _written(response: HTTPResponse) -> Written:
    return Written(_object(response), date_of(response.headers))


def _is_object(it: Any) -> bool:
    return isinstance(it, dict) and isinstance(it.get("metadata"), dict)
