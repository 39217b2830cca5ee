"""Takes an environment's secret values out of what a program printed, before a person or a log sees it."""

import base64
import binascii
from collections.abc import Callable, Iterable, Iterator

from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from deploytag.delivery.cluster import Cluster
from deploytag.identity import Identity

REDACTED = "[redacted]"
SHORTEST = 6
"""Characters: what is shorter (`true`, `8080`) is in every text, and no secret."""
TIMEOUT = 10


def redactor(values: Iterable[str]) -> Callable[[str], str]:
    """Replaces each of `values`, and each line of those that have several. Pure."""
    parts = {part for value in values for part in (value, *value.splitlines()) if len(part) >= SHORTEST}
    longest_first = sorted(parts, key=len, reverse=True)

    def redact(text: str) -> str:
        for part in longest_first:
            text = text.replace(part, REDACTED)
        return text

    return redact


def redactor_of(cluster: Cluster, identity: Identity) -> Callable[[str], str]:
    """Of everything in the environment's own Secrets; of every line, where they cannot be read."""
    try:
        found = cluster.core.list_namespaced_secret(
            identity.namespace, field_selector="type=Opaque", _request_timeout=TIMEOUT
        ).items
    except (ApiException, HTTPError):
        return lambda _: "[not shown: the environment's Secrets cannot be read, and a program may print them]"
    return redactor(text for secret in found for text in _texts((secret.data or {}).values()))


def _texts(encoded: Iterable[str | bytes]) -> Iterator[str]:
    for value in encoded:
        try:
            yield base64.b64decode(value).decode()
        except (binascii.Error, UnicodeDecodeError):
            continue
