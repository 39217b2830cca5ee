"""Questions to the API server whose answers we read ourselves, as they come and only what is needed of them."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from deploytag.delivery.asking import FORBIDDEN, RefusedError
from deploytag.delivery.diagnosis.objects import KubernetesObject
from deploytag.errors import UnreachableError

TIMEOUT = 10
"""Seconds one answer may take."""

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
    """The whole of an answer."""
    try:
        content: Mapping[str, Any] = json.loads(response.data)
    finally:
        response.close()
    return content


def lines(response: Any) -> Iterator[bytes]:
    """The whole lines of an answer that is still being written."""
    buffer = b""
    for chunk in response.stream(amt=None):
        *lines, buffer = (buffer + chunk).split(b"\n")
        yield from lines


def said(error: Exception) -> str:
    """How a person is told what `ask` raised."""
    return f"{error.status} {error.reason}" if isinstance(error, ApiException) else str(error)


def listed(model: type[Model], call: Callable[..., Any], *arguments: str, **options: Any) -> tuple[Model, ...]:
    """The objects that one of the client's list calls finds.

    Raises:
        RefusedError: this user may not list them.
        UnreachableError: the server refuses, or there is none.
    """
    try:
        items = document(ask(call, *arguments, **options)).get("items") or ()
    except ApiException as error:
        kind = RefusedError if error.status == FORBIDDEN else UnreachableError
        raise kind(
            f"The cluster refuses to list {model.__name__} objects: {error.status} {error.reason}. The kubeconfig's "
            "user needs to read them."
        ) from None
    except (HTTPError, OSError) as error:
        raise UnreachableError(f"The cluster does not answer: {error}.") from None
    return tuple(model.model_validate(item) for item in items)
