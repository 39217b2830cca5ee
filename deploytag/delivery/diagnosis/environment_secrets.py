"""Teaches this process the secret values of one environment, before what its programs printed is shown."""

import base64
import binascii
from collections.abc import Callable, Iterable, Iterator

from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from deploytag import redaction
from deploytag.api import SECRETS
from deploytag.delivery.cluster import Cluster
from deploytag.documents import DocumentError
from deploytag.identity import Identity

TIMEOUT = 10

ALL_BUT_RELEASES = "type!=helm.sh/release.v1"
"""A chart's own Secrets are of every type: logins, keys of TLS, of registries. A release is the chart again, packed."""


def learn_from(cluster: Cluster, identity: Identity) -> bool:
    """Learn everything in the environment's own Secrets; False: they cannot be read."""
    try:
        found = cluster.api.list(SECRETS, identity.namespace, timeout=TIMEOUT, fields=ALL_BUT_RELEASES).items
    except (ApiException, HTTPError, DocumentError):
        return False
    redaction.spare([identity.ref, identity.stack, identity.namespace])
    redaction.learn(text for secret in found for text in _texts((secret.get("data") or {}).values()))
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
