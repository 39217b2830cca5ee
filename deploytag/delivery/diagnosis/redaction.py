"""Teaches this process the secret values of one environment, before what its programs printed is shown."""

import base64
import binascii
from collections.abc import Callable, Iterable, Iterator

from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from deploytag import redaction
from deploytag.delivery.cluster import Cluster
from deploytag.identity import Identity

TIMEOUT = 10


def learn_from(cluster: Cluster, identity: Identity) -> bool:
    """Learn everything in the environment's own Secrets; False: they cannot be read."""
    try:
        found = cluster.core.list_namespaced_secret(
            identity.namespace, field_selector="type=Opaque", _request_timeout=TIMEOUT
        ).items
    except (ApiException, HTTPError):
        return False
    redaction.spare([identity.ref, identity.stack, identity.namespace])
    redaction.learn(text for secret in found for text in _texts((secret.data or {}).values()))
    return True


def redactor_of(cluster: Cluster, identity: Identity) -> Callable[[str], str]:
    """For what an environment's programs printed; it shows no line where the environment's Secrets cannot be read."""
    if learn_from(cluster, identity):
        return redaction.redact
    return lambda _: "[not shown: the environment's Secrets cannot be read, and a program may print them]"


def _texts(encoded: Iterable[str | bytes]) -> Iterator[str]:
    for value in encoded:
        try:
            yield base64.b64decode(value).decode()
        except (binascii.Error, UnicodeDecodeError):
            continue
