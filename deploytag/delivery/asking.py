"""Requests to the API server: what a refusal means, and what silence. The one place that makes sentences of them."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from kubernetes.client.exceptions import ApiException
from kubernetes.config import ConfigException
from urllib3.exceptions import HTTPError

from deploytag.api import Listing
from deploytag.delivery.cluster import Cluster
from deploytag.documents import DocumentError, parse_json
from deploytag.errors import DeployTagError, OwnershipError, UnreachableError
from deploytag.ownership import SYSTEM_NAMESPACE

Item = TypeVar("Item")

TIMEOUT = 5.0
"""Seconds the API server may take to answer."""

FORBIDDEN = 403
"""The status of a request that the user has no right to."""

PAGE = 250
"""Objects in one answer of a listing."""


class NoAnswerError(UnreachableError):
    """The API server did not answer, or answered that it cannot now. Whether a write took place is not known."""


class RefusedError(UnreachableError):
    """The kubeconfig's user may not ask this."""


class ConflictError(UnreachableError):
    """The object is not as it was when it was looked at, so nothing was written."""


@contextlib.contextmanager
def asking(cluster: Cluster, what: str, right: str, namespace: str | None = SYSTEM_NAMESPACE) -> Iterator[None]:
    """Say what went wrong in a request.

    Args:
        cluster: whom the request is for.
        what: what is being done, as in `reading the lease of feature/test`.
        right: what the user must be allowed to do, as in `get leases`.
        namespace: where; None: in the whole cluster, or in several.

    Raises:
        ConflictError: see there.
        NoAnswerError: see there; asking again may help.
        RefusedError: see there.
        UnreachableError: the cluster refuses for another reason.
        OwnershipError: the cluster has no system namespace.
    """
    try:
        yield
    except ApiException as error:
        if error.status == 409:
            raise ConflictError(f"{what} failed: it has changed meanwhile ({_said(error)})") from None
        raise _refusal(cluster, what, right, namespace, error) from None
    # A command that renews the credentials, the connection, or a proxy that answers with a page of its own; ValueError
    # is an answer that the API could not have sent.
    except (ConfigException, HTTPError, OSError, ValueError) as error:
        raise NoAnswerError(
            f"{what} failed: the Kubernetes API server at {cluster.api.host} did not answer ({error}). "
            "Its address comes from the kubeconfig."
        ) from None


def every(page: Callable[..., Listing[Item]]) -> list[Item]:
    """All objects of a listing, page by page.

    Args:
        page: asks for one, with the parameters `limit` and `more` of `Api.list`, and answers as that does.
    """
    found: list[Item] = []
    parameters: dict[str, Any] = {"limit": PAGE}
    while True:
        try:
            answer = page(**parameters)
        except ApiException as error:
            if error.status != 410 or "more" not in parameters:
                raise
            # The API server no longer remembers the moment the pages were cut from: all of them at once.
            found, parameters = [], {}
            continue
        found += answer.items
        if answer.more is None:
            return found
        parameters["more"] = answer.more


def _refusal(cluster: Cluster, what: str, right: str, namespace: str | None, error: ApiException) -> DeployTagError:
    host = cluster.api.host
    status = error.status or 0
    if status == 401:
        return UnreachableError(
            f"{what} failed: the Kubernetes API server at {host} does not know the kubeconfig's user (401). "
            "Renew its credentials."
        )
    if status == FORBIDDEN:
        where = f" in the namespace {namespace}" if namespace else ""
        return RefusedError(
            f"{what} failed: the kubeconfig's user may not {right}{where} "
            f"({_said(error)}). Give it that right; `deploytag doctor` says which ones are needed."
        )
    if status == 404 and namespace == SYSTEM_NAMESPACE:
        return OwnershipError(
            f"{what} failed: the cluster at {host} has no namespace {SYSTEM_NAMESPACE}, where DeployTag keeps it. "
            f"Make it once: `kubectl create namespace {SYSTEM_NAMESPACE}`."
        )
    # 0: the connection's certificate; 429: too many requests.
    kind = NoAnswerError if status in {0, 408, 429} or status >= 500 else UnreachableError
    return kind(f"{what} failed: the Kubernetes API server at {host} answered {status}: {_said(error)}")


def _said(error: ApiException) -> str:
    """The API server's own words."""
    with contextlib.suppress(DocumentError, TypeError):
        answer = parse_json(error.body or "")
        if isinstance(answer, dict) and answer.get("message"):
            return str(answer["message"])
    return str(error.reason)
