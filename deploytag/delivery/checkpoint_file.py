"""The deployment in a checkpoint file of Pulumi's: `checkpoint.latest`, as `store` and those who look at it read it."""

import zlib
from typing import Any, NotRequired

from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypedDict

from deploytag.documents import DocumentError, parse_json

LARGEST_STATE = 256 << 20
"""Bytes of a checkpoint, unpacked."""

_GZIP = b"\x1f\x8b"


def deployment_of(content: bytes) -> dict[str, Any]:
    """The deployment in a checkpoint file, of the form that those who look at it expect; empty before the first one.

    A program has the backend's credentials, so it may be anybody's text.

    Raises:
        DocumentError: it is none.
    """
    if content.startswith(_GZIP):
        try:
            unpacking = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
            content = unpacking.decompress(content, LARGEST_STATE)
        except zlib.error as error:
            raise DocumentError(str(error)) from None
        if not unpacking.eof:
            raise DocumentError("it is cut off, or larger than any state")
    match parse_json(content):
        case {"checkpoint": {"latest": {**latest}}}:
            pass
        case {"checkpoint": dict()}:
            return {}
        case _:
            raise DocumentError("it holds no checkpoint")
    try:
        _DEPLOYMENT.validate_python(latest)
    except ValidationError as error:
        # Not the error's own text, which repeats what is there.
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise DocumentError(f"{where} is not as Pulumi writes it") from None
    return {str(key): value for key, value in latest.items()}


class _Resource(TypedDict):
    """What of a resource's entry is relied on."""

    urn: str
    type: str
    id: NotRequired[str | None]
    inputs: NotRequired[dict[str, Any] | None]
    outputs: NotRequired[dict[str, Any] | None]


class _Pending(TypedDict):
    type: str
    resource: _Resource


class _Deployment(TypedDict):
    resources: NotRequired[list[_Resource] | None]
    pending_operations: NotRequired[list[_Pending] | None]


_DEPLOYMENT = TypeAdapter(_Deployment)
