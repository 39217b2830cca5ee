"""The cluster: is it the expected one, and does it agree about the time?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from deploytag.api import NAMESPACES, Api, date_of, deleted_at, document
from deploytag.delivery.doctor.findings import Finding, ok, problem, warning
from deploytag.documents import DocumentError
from deploytag.errors import OwnershipError, UnreachableError
from deploytag.ownership import SYSTEM_NAMESPACE
from deploytag.preflight import cluster
from deploytag.preflight.endpoints import kubeconfig_path
from deploytag.settings import Settings

Answer = TypeVar("Answer")

TIMEOUT = 10.0
"""Seconds one answer may take: a busy cluster is no problem that a doctor should find."""

SKEW_NOTED = timedelta(seconds=5)
SKEW_REFUSED = timedelta(minutes=4)
"""AWS refuses signatures that are five minutes off."""


@dataclass(frozen=True, slots=True)
class Connection:
    """The kubeconfig's cluster."""

    api: Api
    current: cluster.Current

    @classmethod
    def open(cls, environ: Mapping[str, str]) -> Connection:
        """Connect as the kubeconfig says.

        Raises:
            UnreachableError: there is no usable kubeconfig.
        """
        return cls(*cluster.connect(kubeconfig_path(environ)))


def expected(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Whether it is the one that the policy names, and which version it is."""
    connection = Connection.open(environ)
    if complaint := cluster.unexpected(settings.policy.cluster, connection.current):
        yield problem(complaint, kind=OwnershipError)
        return
    version = asked(connection, lambda: document(connection.api.open("/version", timeout=TIMEOUT)))
    yield ok(f"{connection.current.server}, Kubernetes {version.get('gitVersion')}")


def clock(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Whether this machine and the API server agree about the time."""
    connection = Connection.open(environ)
    answer = asked(connection, lambda: connection.api.open("/version", timeout=TIMEOUT))
    answer.drain_conn()
    date = date_of(answer.headers)
    if date is None:
        yield warning("the API server does not say the time", "Compare the clocks by hand.")
        return
    yield skew(date, datetime.now(UTC))


def skew(theirs: datetime, ours: datetime) -> Finding:
    """What to say about two clocks. Pure."""
    apart = abs(ours - theirs)
    which = "ahead of" if ours > theirs else "behind"
    said = f"this machine's clock is {apart.total_seconds():.0f} s {which} the API server's"
    if apart >= SKEW_REFUSED:
        return problem(said, "Set the clock (NTP): certificates, AWS and ages go by it.")
    if apart >= SKEW_NOTED:
        return warning(said, "Set the clock (NTP).")
    return ok(f"within {SKEW_NOTED.total_seconds():.0f} s of the API server's")


def system_namespace(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Where the ledger of databases, leases and records are kept."""
    connection = Connection.open(environ)
    namespace = asked(connection, lambda: connection.api.find(NAMESPACES, SYSTEM_NAMESPACE, timeout=TIMEOUT))
    if namespace is None:
        yield problem(f"there is no namespace {SYSTEM_NAMESPACE}", f"`kubectl create namespace {SYSTEM_NAMESPACE}`")
        return
    if deleted_at(namespace):
        yield problem(f"{SYSTEM_NAMESPACE} is being deleted", "Wait until it is gone, and make it anew.")
    else:
        yield ok(SYSTEM_NAMESPACE)


def asked(connection: Connection, question: Callable[[], Answer]) -> Answer:
    """The answer to a question to the cluster.

    Raises:
        UnreachableError: it refuses, or does not answer.
    """
    try:
        return question()
    except ApiException as error:
        raise UnreachableError(
            f"the cluster at {connection.current.server} refuses: {error.status} {error.reason}. The kubeconfig's "
            "credentials decide."
        ) from None
    except (HTTPError, DocumentError) as error:
        raise UnreachableError(
            f"the cluster at {connection.current.server} does not answer: {_reason(error)}. The address comes from the "
            "kubeconfig."
        ) from None


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", None) or error)
