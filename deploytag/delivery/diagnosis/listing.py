"""Questions to the API server whose answers we read ourselves, as they come and only what is needed of them."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from kubernetes.client.exceptions import ApiException

from deploytag.delivery.asking import asking
from deploytag.delivery.cluster import Cluster
from deploytag.delivery.diagnosis.objects import KubernetesObject
from deploytag.documents import DocumentError, parse_json

TIMEOUT = 10
"""Seconds one answer may take."""

LONGEST_LINE = 4 << 20
"""Bytes: more than any object of a cluster, and more than a program can mean by one line of its log."""

Model = TypeVar("Model", bound=KubernetesObject)


def ask(
    call: Callable[..., Any], *arguments: str, timeout: float | tuple[float, float] = TIMEOUT, **options: Any
) -> Any:
    """The answer to one of the client's calls, not read yet.

    Raises:
        ApiException: the server refuses.
        urllib3.exceptions.HTTPError: there is no server.
    """
    response = call(*arguments, _preload_content=False, _request_timeout=timeout, **options)
    if response.status >= 300:
        response.close()
        raise ApiException(status=response.status, reason=response.reason)
    return response


def document(response: Any) -> Mapping[str, Any]:
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


def lines(response: Any) -> Iterator[bytes]:
    """The whole lines of an answer that is still being written; what is longer than any line comes in pieces."""
    buffer = b""
    for chunk in response.stream(amt=None):
        *lines, buffer = (buffer + chunk).split(b"\n")
        yield from lines
        if len(buffer) > LONGEST_LINE:
            yield buffer
            buffer = b""


def said(error: Exception) -> str:
    """How a person is told what `ask` raised."""
    return f"{error.status} {error.reason}" if isinstance(error, ApiException) else str(error)


def listed(
    cluster: Cluster, what: str, model: type[Model], call: Callable[..., Any], *arguments: str, **options: Any
) -> tuple[Model, ...]:
    """The objects that one of the client's list calls finds; `what` they are, as in `deployments`.

    Raises:
        RefusedError: this user may not list them.
        UnreachableError: the server refuses, there is none, or what it says is not understood.
    """
    with asking(cluster, f"listing the {what}", f"list {what}", namespace=arguments[0] if arguments else None):
        items = document(ask(call, *arguments, **options)).get("items") or ()
        return tuple(model.model_validate(item) for item in items)
