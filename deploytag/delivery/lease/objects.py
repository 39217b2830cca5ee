"""The leases in the cluster: read, written, listed and watched, and nothing decided."""

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kubernetes.client import V1DeleteOptions, V1Lease, V1ListMeta, V1Preconditions
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import ReadTimeoutError

from deploytag.api import Listing, date_of
from deploytag.delivery.asking import TIMEOUT, NoAnswerError, asking, every
from deploytag.delivery.cluster import Cluster
from deploytag.delivery.lease.state import LeaseState, object_of, state_of
from deploytag.documents import parse_json
from deploytag.identity import Identity
from deploytag.ownership import SYSTEM_NAMESPACE, selector


@dataclass(frozen=True, slots=True)
class Look:
    """One look at one lease."""

    state: LeaseState | None
    """None: there is none."""
    position: str
    """From where a watch goes on."""
    time: datetime | None
    """The API server's; None: it does not say."""


@dataclass(frozen=True, slots=True)
class LeaseObjects:
    """The leases of one cluster. Every request ends within its limit; errors are those of `asking`."""

    cluster: Cluster

    def look(self, identity: Identity, timeout: float = TIMEOUT) -> Look:
        """The lease of an environment, as it is now."""
        # A listing, because only that says from where to watch. A lease's own version may be too old for that: nodes
        # renew theirs all the time.
        with asking(self.cluster, f"reading the lease of {identity.ref}", "list leases"):
            found, _, headers = self.cluster.coordination.list_namespaced_lease_with_http_info(
                SYSTEM_NAMESPACE, field_selector=_only(identity), _request_timeout=timeout, _return_http_data_only=False
            )
        time = date_of(headers)
        state = state_of(found.items[0], time) if found.items else None
        position = (found.metadata and found.metadata.resource_version) or ""
        return Look(state, position, time)

    def write(self, identity: Identity, state: LeaseState, timeout: float) -> LeaseState:
        """Make the lease, or replace the version that `state` came from; what it is now.

        Raises:
            ConflictError: there is one already, or it is no longer that version, or gone.
        """
        body = object_of(identity, state)
        leases = self.cluster.coordination
        if state.uid is None:
            with asking(self.cluster, f"taking the lease of {identity.ref}", "create leases"):
                written, _, headers = leases.create_namespaced_lease_with_http_info(
                    SYSTEM_NAMESPACE, body, _request_timeout=timeout, _return_http_data_only=False
                )
        else:
            with asking(self.cluster, f"writing the lease of {identity.ref}", "update leases"):
                written, _, headers = leases.replace_namespaced_lease_with_http_info(
                    identity.namespace, SYSTEM_NAMESPACE, body, _request_timeout=timeout, _return_http_data_only=False
                )
        return state_of(written, date_of(headers))

    def delete(self, identity: Identity, state: LeaseState, timeout: float) -> None:
        """Remove exactly this version of the lease; one that is gone is no error.

        Raises:
            ConflictError: it is no longer that version.
        """
        with asking(self.cluster, f"giving back the lease of {identity.ref}", "delete leases"):
            try:
                self.cluster.coordination.delete_namespaced_lease(
                    identity.namespace,
                    SYSTEM_NAMESPACE,
                    body=V1DeleteOptions(preconditions=V1Preconditions(uid=state.uid, resource_version=state.version)),
                    _request_timeout=timeout,
                )
            except ApiException as error:
                if error.status != 404:
                    raise

    def all(self, project: str) -> list[LeaseState]:
        """Every lease that is labelled as one of the project."""
        time: datetime | None = None

        def page(limit: int | None = None, more: str | None = None) -> Listing[V1Lease]:
            nonlocal time
            found, _, headers = self.cluster.coordination.list_namespaced_lease_with_http_info(
                SYSTEM_NAMESPACE,
                label_selector=selector(project),
                _request_timeout=TIMEOUT,
                _return_http_data_only=False,
                limit=limit,
                _continue=more,
            )
            time = date_of(headers)
            metadata = found.metadata or V1ListMeta()
            return Listing(found.items, metadata.resource_version or "", metadata._continue or None)

        with asking(self.cluster, f"listing the leases of {project}", "list leases"):
            found = every(page)
        return [state_of(lease, time) for lease in found]

    def await_change(self, identity: Identity, position: str, seconds: float) -> bool:
        """Whether the lease was changed after `position`: True at once when it is, False after about `seconds`.

        Raises:
            NoAnswerError: it cannot be watched (from there); look, but not at once.
        """
        with asking(self.cluster, f"watching the lease of {identity.ref}", "watch leases"):
            # With _preload_content=False this is urllib3's response, whatever the client's types say.
            stream: Any = self.cluster.coordination.list_namespaced_lease(
                SYSTEM_NAMESPACE,
                field_selector=_only(identity),
                watch=True,
                resource_version=position,
                timeout_seconds=max(1, math.ceil(seconds)),
                _request_timeout=(TIMEOUT, seconds + 0.5),
                _preload_content=False,
            )
            try:
                line = b""
                for piece in stream.stream():
                    line += piece
                    if b"\n" in line:
                        break
            except ReadTimeoutError:
                return False  # the API server would have ended it a moment later
            finally:
                stream.close()
            match parse_json(line.split(b"\n", 1)[0]) if line else None:
                case {"type": "ERROR"}:
                    raise NoAnswerError(
                        f"the Kubernetes API server cannot watch the lease of {identity.ref} now: {line[:1000]!r}"
                    )
        return bool(line)


def _only(identity: Identity) -> str:
    return f"metadata.name={identity.namespace}"
