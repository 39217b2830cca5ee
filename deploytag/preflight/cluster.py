"""The cluster of the kubeconfig: is it the one the policy names, and whose are the namespace and the ledger's entry?"""

import hashlib
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from yaml import YAMLError

from deploytag.errors import UnreachableError
from deploytag.identity import Identity
from deploytag.ownership import SYSTEM_NAMESPACE
from deploytag.preflight.endpoints import Endpoint, host_and_port
from deploytag.settings import POLICY_FILE, Cluster

Found = TypeVar("Found")

TIMEOUT = 5
"""Seconds one request may take."""


@dataclass(frozen=True, slots=True)
class Current:
    """The kubeconfig's current cluster."""

    server: str
    ca_sha256: str | None


@dataclass(frozen=True, slots=True)
class NamespaceFacts:
    """What the cluster holds of an identity's names."""

    annotations: Mapping[str, str] | None
    """Of the namespace; None: there is none."""
    ledger: Mapping[str, str] | None
    """Data of the ledger's entry; None: there is none."""
    system_namespace: bool


def connect(kubeconfig: str) -> tuple[client.ApiClient, Current]:
    """A client for the kubeconfig's current context, and which cluster that is. Sends nothing.

    Raises:
        UnreachableError: there is no usable kubeconfig.
    """
    settings = client.Configuration()
    try:
        config.load_kube_config(  # type: ignore[no-untyped-call]
            config_file=kubeconfig, client_configuration=settings
        )
    except (config.ConfigException, OSError, ValueError, YAMLError) as error:
        raise UnreachableError(
            f"no usable kubeconfig ({kubeconfig}): {error}. Set KUBECONFIG to the file of the cluster "
            f"that {POLICY_FILE} names."
        ) from None
    settings.retries = False
    return client.ApiClient(settings), Current(settings.host.rstrip("/"), _fingerprint(settings.ssl_ca_cert))


def unexpected(expected: Cluster, current: Current) -> str | None:
    """Why this is not the cluster that the policy names; None when it is."""
    if expected.server is not None and current.server != expected.server.rstrip("/"):
        return (
            f"the kubeconfig's cluster is {current.server}, and {POLICY_FILE} expects {expected.server}: nothing was "
            "touched. Set KUBECONFIG or its current context to the expected cluster."
        )
    if expected.ca_sha256 is not None and current.ca_sha256 != expected.ca_sha256:
        return (
            f"the cluster at {current.server} has a CA of SHA-256 {current.ca_sha256 or '(none in the kubeconfig)'}, "
            f"and {POLICY_FILE} expects {expected.ca_sha256}: nothing was touched."
        )
    return None


def endpoint(current: Current, kubeconfig: str) -> Endpoint:
    """The API server, to be asked whether it answers."""
    return Endpoint("the Kubernetes API server", host_and_port(current.server), f"the kubeconfig {kubeconfig}")


def look(api: client.ApiClient, identity: Identity) -> NamespaceFacts:
    """What the cluster holds of the identity's names.

    Raises:
        UnreachableError: the API server refuses to say.
    """
    core = client.CoreV1Api(api)
    try:
        namespace = _or_none(lambda: core.read_namespace(identity.namespace, _request_timeout=TIMEOUT))
        system = _or_none(lambda: core.read_namespace(SYSTEM_NAMESPACE, _request_timeout=TIMEOUT))
        entry = _or_none(
            lambda: core.read_namespaced_config_map(identity.namespace, SYSTEM_NAMESPACE, _request_timeout=TIMEOUT)
        )
    except ApiException as error:
        raise UnreachableError(
            f"the cluster refuses to show the namespace {identity.namespace}: {error.status} {error.reason}. The "
            "kubeconfig's user needs to read namespaces and the config maps of deploytag-system."
        ) from None
    except Exception as error:
        raise UnreachableError(f"the cluster cannot be asked about {identity.namespace}: {error}") from None
    return NamespaceFacts(
        annotations=None if namespace is None or namespace.metadata is None else namespace.metadata.annotations or {},
        ledger=None if entry is None else entry.data or {},
        system_namespace=system is not None,
    )


def _or_none(read: Callable[[], Found]) -> Found | None:
    try:
        return read()
    except ApiException as error:
        if error.status == 404:
            return None
        raise


def _fingerprint(ca_file: str | None) -> str | None:
    if ca_file is None:
        return None
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(Path(ca_file).read_text())).hexdigest()
