"""From what a handler raises to a gRPC error: the code, the sentence, the half-made resource, and no secret."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeVar

import grpc
from google.protobuf import any_pb2
from google.protobuf.struct_pb2 import Struct

from sandbox.plugins.provider.errors import (
    AlreadyExistsError,
    CancelledError,
    InitFailedError,
    InvalidInputError,
    NotFoundError,
    ProviderError,
    UnreachableError,
)
from sandbox.plugins.provider.values import marshal, secret_strings, unmarshal

if TYPE_CHECKING:
    from pulumi.runtime.proto import provider_pb2, status_pb2
else:
    from sandbox.plugins.provider.pb import provider_pb2, status_pb2

log = logging.getLogger(__name__)
Response = TypeVar("Response")

_CODES: dict[type[ProviderError], grpc.StatusCode] = {
    InvalidInputError: grpc.StatusCode.INVALID_ARGUMENT,
    NotFoundError: grpc.StatusCode.NOT_FOUND,
    AlreadyExistsError: grpc.StatusCode.ALREADY_EXISTS,
    # Not UNAVAILABLE: the engine takes that for a plugin that is gone.
    UnreachableError: grpc.StatusCode.FAILED_PRECONDITION,
    CancelledError: grpc.StatusCode.CANCELLED,
}
_SHORTEST_MASKED = 6


def answer(context: grpc.ServicerContext, call: Callable[[], Response], *sent: Struct) -> Response:
    """Run `call`; turn what it raises into a gRPC error without any secret that came with the request."""
    try:
        return call()
    except InitFailedError as error:
        code, text, details = grpc.StatusCode.UNKNOWN, "Resource operation failed", [error]
    except ProviderError as error:
        code, text, details = _CODES.get(type(error), grpc.StatusCode.UNKNOWN), str(error), []
    except Exception as error:
        # A mistake in the plugin. Its text may hold anything, so it is masked like every other message.
        log.exception("unexpected error")
        code, text, details = grpc.StatusCode.UNKNOWN, f"The plugin failed: {type(error).__name__}: {error}", []
    mask = _Mask(sent)
    status = status_pb2.Status(code=code.value[0], message=mask(text))
    for failed in details:
        detail = provider_pb2.ErrorResourceInitFailed(
            id=failed.resource_id,
            properties=marshal(failed.outputs),
            reasons=[mask(reason) for reason in failed.reasons],
            inputs=None if failed.inputs is None else marshal(failed.inputs),
        )
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(code, mask(text))
    raise AssertionError("abort always raises")


class _Mask:
    """Replaces the secrets of a request, plain and base64, in a text."""

    def __init__(self, sent: Iterable[Struct]) -> None:
        # Keys such as `__inputs` repeat as one secret what is beside them, so they would make a secret of every name.
        values = (value for struct in sent for key, value in unmarshal(struct).items() if not key.startswith("__"))
        whole = {text for value in values for text in secret_strings(value)}
        secrets = whole | {line.strip() for text in whole for line in text.splitlines()}
        # A very short secret would mask half of any sentence, and tells nothing.
        long = {text for text in secrets if len(text) >= _SHORTEST_MASKED}
        encoded = {base64.b64encode(text.encode()).decode() for text in long}
        self._secrets = sorted(long | encoded, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "[secret]")
        return text
