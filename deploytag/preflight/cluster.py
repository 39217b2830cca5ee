"""The cluster of the kubeconfig: is it the one the policy names, and whose are the namespace and the ledger's entry?"""

import asyncio
import hashlib
import os
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from kubernetes.config.kube_config import KubeConfigMerger

from deploytag.address import HostPort
from deploytag.api import CONFIG_MAPS, NAMESPACES, Api, annotations_of
from deploytag.errors import UnreachableError
from deploytag.identity import Identity
from deploytag.ownership import SYSTEM_NAMESPACE, said_by_ledger
from deploytag.preflight.endpoints import Endpoint, through_proxy
from deploytag.preflight.patience import ask
from deploytag.settings import POLICY_FILE, Cluster

TIMEOUT = 5
"""Seconds the cluster may take to answer."""

LOGIN = 60
"""Seconds the command that a kubeconfig names for credentials may take: it may ask a cloud, or a person."""

ONE_REQUEST = TIMEOUT + 1
"""Seconds until a request that nobody waits for any longer ends by itself."""

CONNECTIONS = 32
"""More than anything asks at once: `why` a dozen questions, each in a thread."""


@dataclass(frozen=True, slots=True)
class Current:
    """The kubeconfig's current cluster."""

    server: str
    ca_file: str | None
    """None: the kubeconfig names no CA, or asks that it is not looked at."""
    own_proxy: bool = False
    """Whether the kubeconfig names a proxy to it (`proxy-url`), beside those of the environment."""


@dataclass(frozen=True, slots=True)
class NamespaceFacts:
    """What the cluster holds of an identity's names."""

    annotations: Mapping[str, str] | None
    """Of the namespace; None: there is none."""
    ledger: Mapping[str, str] | None
    """What the ledger's entry says, see `said_by_ledger`; None: there is none."""
    system_namespace: bool


def connect(kubeconfig: str) -> tuple[Api, Current]:
    """A client for the kubeconfig's current context, and which cluster that is. Asks it nothing.

    Raises:
        UnreachableError: there is no usable kubeconfig.
    """
    settings, context = client.Configuration(), _context(kubeconfig)
    try:
        config.load_kube_config(  # type: ignore[no-untyped-call]
            config_file=kubeconfig, context=context, client_configuration=settings
        )
        # Under which key a token is, is the client's to say.
        given = any(settings.api_key.values()) or settings.cert_file
        command = None if given else _credential_command(kubeconfig, context)
        HostPort.of_url(settings.host)  # or `endpoint` would be the first to see what is no URL
        settings.retries = False
        # Everything is asked at once, and a connection that has no place in the pool is a warning of urllib3's.
        settings.connection_pool_maxsize = CONNECTIONS
        api = Api(client.ApiClient(settings))  # a proxy of a kind that it does not know is refused here
    # A file that people write, which the client walks without checking what is where.
    except Exception as error:
        raise UnreachableError(
            f"no usable kubeconfig ({kubeconfig}): {error}. Set KUBECONFIG to the file of the cluster "
            f"that {POLICY_FILE} names."
        ) from None
    if command:
        # The client goes on without, and would be told that nobody may see anything.
        raise UnreachableError(
            f"`{command}`, which the kubeconfig {kubeconfig} names for its credentials, gave none. Run it by hand: it "
            "says why, such as that a login has expired. Nothing was touched."
        )
    ca_file = settings.ssl_ca_cert if settings.verify_ssl else None
    of_environment = client.Configuration(host=settings.host).proxy
    current = Current(settings.host.rstrip("/"), ca_file, own_proxy=settings.proxy != of_environment)
    return api, current


async def connect_in_time(kubeconfig: str) -> tuple[Api, Current]:
    """As `connect`, within `LOGIN`: the kubeconfig may name a command that fetches the credentials from somewhere.

    Raises:
        UnreachableError: there is no usable kubeconfig, or that command does not end.
    """
    try:
        return await ask(LOGIN, partial(connect, kubeconfig))
    except TimeoutError:
        raise UnreachableError(
            f"the command that the kubeconfig {kubeconfig} names for its credentials has not ended within {LOGIN} s. "
            "If it waits for a login, log in first (`kubectl get namespaces` runs it, too); nothing was touched."
        ) from None


def _context(kubeconfig: str) -> str | None:
    """The current context of several files as Helm and Pulumi take it, the first that one names; None: as it is.

    The client would take the last one, and so look at another cluster than they act on.
    """
    if os.pathsep not in kubeconfig:
        return None
    files = KubeConfigMerger(kubeconfig).config_files  # type: ignore[no-untyped-call]
    return next((name for it in files.values() if (name := it.get("current-context"))), None)


def _credential_command(kubeconfig: str, context: str | None) -> str | None:
    """What the kubeconfig's user has run for credentials; None: nothing."""
    merged = KubeConfigMerger(kubeconfig).config  # type: ignore[no-untyped-call]
    chosen = merged["contexts"].get_with_name(context or merged["current-context"])["context"]
    name = chosen.safe_get("user")
    user = name and merged["users"].get_with_name(name)["user"]
    found = user and user.safe_get("exec")
    return " ".join([found["command"], *(found.get("args") or ())]) if found else None


def unexpected(expected: Cluster, current: Current) -> str | None:
    """Why this is not the cluster that the policy names; None when it is.

    Raises:
        UnreachableError: the policy names a CA, and the kubeconfig's is no certificate.
    """
    if expected.server is not None and current.server != expected.server.rstrip("/"):
        return (
            f"the kubeconfig's cluster is {current.server}, and {POLICY_FILE} expects {expected.server}: nothing was "
            "touched. Set KUBECONFIG or its current context to the expected cluster."
        )
    if expected.ca_sha256 is None:
        return None
    found = fingerprints(Path(current.ca_file)) if current.ca_file else frozenset()
    # Each CA of the file is trusted, so all of them must be the expected one.
    if found != {expected.ca_sha256}:
        return (
            f"the cluster at {current.server} has a CA of SHA-256 "
            f"{', '.join(sorted(found)) or '(none in the kubeconfig)'}, and {POLICY_FILE} expects "
            f"{expected.ca_sha256}: nothing was touched. Set KUBECONFIG or its current context to the expected cluster."
        )
    return None


def fingerprints(ca_file: Path) -> frozenset[str]:
    """SHA-256 of each certificate in a PEM file, which may hold text between them, as OpenSSL writes it.

    Raises:
        UnreachableError: there is none, or one cannot be read.
    """
    try:
        blocks = re.findall(rf"{ssl.PEM_HEADER}.+?{ssl.PEM_FOOTER}", ca_file.read_text("latin-1"), re.DOTALL)
        found = frozenset(hashlib.sha256(ssl.PEM_cert_to_DER_cert(block)).hexdigest() for block in blocks)
    except (OSError, ValueError) as error:
        raise UnreachableError(f"the CA of the kubeconfig ({ca_file}) cannot be read: {error}.") from None
    if not found:
        raise UnreachableError(f"the CA of the kubeconfig ({ca_file}) holds no PEM certificate.")
    return found


def endpoint(current: Current, kubeconfig: str, environ: Mapping[str, str]) -> Endpoint | None:
    """The API server, to be asked whether it answers; None where only the client knows the way to it.

    Raises:
        SettingsError: the environment names a proxy that is none.
    """
    if current.own_proxy:
        return None
    address = HostPort.of_url(current.server)
    service = Endpoint("the Kubernetes API server", address, f"the kubeconfig {kubeconfig}")
    return through_proxy(service, urlsplit(current.server).scheme, environ)


async def look(api: Api, identity: Identity) -> NamespaceFacts:
    """What the cluster holds of the identity's names.

    Raises:
        UnreachableError: the API server refuses to say, or says nothing.
    """
    find = partial(api.find, timeout=ONE_REQUEST)
    try:
        namespace, system, entry = await asyncio.gather(
            ask(TIMEOUT, partial(find, NAMESPACES, identity.namespace)),
            ask(TIMEOUT, partial(find, NAMESPACES, SYSTEM_NAMESPACE)),
            ask(TIMEOUT, partial(find, CONFIG_MAPS, identity.namespace, SYSTEM_NAMESPACE)),
        )
    except TimeoutError:
        raise UnreachableError(
            f"the Kubernetes API server at {api.host} takes connections, but has said nothing for "
            f"{TIMEOUT} s; nothing was touched. The address comes from the kubeconfig."
        ) from None
    except ApiException as error:
        raise UnreachableError(
            f"the cluster refuses to show the namespace {identity.namespace}: {error.status} {error.reason}. The "
            "kubeconfig's user needs to read namespaces and the config maps of deploytag-system."
        ) from None
    except Exception as error:
        raise UnreachableError(f"the cluster cannot be asked about {identity.namespace}: {error}") from None
    return NamespaceFacts(
        annotations=None if namespace is None else annotations_of(namespace),
        ledger=None if entry is None else said_by_ledger(entry),
        system_namespace=system is not None,
    )
