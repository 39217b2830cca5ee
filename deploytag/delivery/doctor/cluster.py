"""The cluster: is it the expected one, and does it agree about the time?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TypeVar

from kubernetes import client
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from deploytag.delivery.doctor.findings import Finding, ok, problem, warning
from deploytag.errors import OwnershipError, UnreachableError
from deploytag.ownership import SYSTEM_NAMESPACE
from deploytag.preflight import cluster
from deploytag.preflight.endpoints import kubeconfig_path
from deploytag.settings import Settings

Answer = TypeVar("Answer")

SKEW_NOTED = timedelta(seconds=5)
SKEW_REFUSED = timedelta(minutes=4)
"""AWS refuses signatures that are five minutes off."""


@dataclass(frozen=True, slots=True)
class Connection:
    """The kubeconfig's cluster."""

    api: client.ApiClient
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
    version = asked(connection, lambda: client.VersionApi(connection.api).get_code(_request_timeout=cluster.TIMEOUT))
    yield ok(f"{connection.current.server}, Kubernetes {version.git_version}")


def clock(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Whether this machine and the API server agree about the time."""
    connection = Connection.open(environ)
    _, _, headers = asked(
        connection,
        lambda: client.VersionApi(connection.api).get_code_with_http_info(_request_timeout=cluster.TIMEOUT),
    )
    date = headers.get("Date")
    if date is None:
        yield warning("the API server does not say the time", "Compare the clocks by hand.")
        return
    yield skew(parsedate_to_datetime(date), datetime.now(UTC))


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
    core = client.CoreV1Api(connection.api)
    try:
        namespace = asked(
            connection, lambda: core.read_namespace(SYSTEM_NAMESPACE, _request_timeout=cluster.TIMEOUT), missing=True
        )
    except MissingError:
        yield problem(f"there is no namespace {SYSTEM_NAMESPACE}", f"`kubectl create namespace {SYSTEM_NAMESPACE}`")
        return
    if namespace.metadata is not None and namespace.metadata.deletion_timestamp is not None:
        yield problem(f"{SYSTEM_NAMESPACE} is being deleted", "Wait until it is gone, and make it anew.")
    else:
        yield ok(SYSTEM_NAMESPACE)


class MissingError(Exception):
    """The cluster answered that there is no such object."""


def asked(connection: Connection, question: Callable[[], Answer], *, missing: bool = False) -> Answer:
    """The answer to a question to the cluster.

    Raises:
        MissingError: there is no such object, where `missing` says that this is an answer.
        UnreachableError: it refuses, or does not answer.
    """
    try:
        return question()
    except ApiException as error:
        if missing and error.status == 404:
            raise MissingError from None
        raise UnreachableError(
            f"the cluster at {connection.current.server} refuses: {error.status} {error.reason}. The kubeconfig's "
            "credentials decide."
        ) from None
    except HTTPError as error:
        raise UnreachableError(
            f"the cluster at {connection.current.server} does not answer: {_reason(error)}. The address comes from the "
            "kubeconfig."
        ) from None


def _reason(error: HTTPError) -> str:
    return str(getattr(error, "reason", None) or error)
