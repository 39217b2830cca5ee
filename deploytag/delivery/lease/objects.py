"""The leases in the cluster: read, written, listed and watched, and nothing decided."""

import math
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime

from urllib3.exceptions import ReadTimeoutError

from deploytag.api import LEASES, Listing, lines
from deploytag.delivery.asking import TIMEOUT, NoAnswerError, asking, every
from deploytag.delivery.cluster import Cluster
from deploytag.delivery.lease.encoding import object_of, state_of
from deploytag.delivery.lease.state import LeaseState
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
            found = self.cluster.api.list(LEASES, SYSTEM_NAMESPACE, fields=_only(identity), timeout=timeout)
            state = state_of(found.items[0], found.date) if found.items else None
        return Look(state, found.version, found.date)

    def write(self, identity: Identity, state: LeaseState, timeout: float) -> LeaseState:
        """Make the lease, or replace the version that `state` came from; what it is now.

        Raises:
            ConflictError: there is one already, or it is no longer that version, or gone.
        """
        if state.uid is None:
            what, right, write = "taking", "create leases", self.cluster.api.create
        else:
            what, right, write = "writing", "update leases", self.cluster.api.replace
        with asking(self.cluster, f"{what} the lease of {identity.ref}", right):
            written = write(LEASES, object_of(identity, state), SYSTEM_NAMESPACE, timeout=timeout)
            return state_of(written.item, written.date)

    def delete(self, identity: Identity, state: LeaseState, timeout: float) -> None:
        """Remove exactly this version of the lease; one that is gone is no error.

        Raises:
            ConflictError: it is no longer that version.
        """
        with asking(self.cluster, f"giving back the lease of {identity.ref}", "delete leases"):
            self.cluster.api.delete(
                LEASES, identity.namespace, SYSTEM_NAMESPACE, uid=state.uid, version=state.version, timeout=timeout
            )

    def all(self, project: str) -> list[LeaseState]:
        """Every lease that is labelled as one of the project."""

        def page(limit: int | None = None, more: str | None = None) -> Listing[LeaseState]:
            found = self.cluster.api.list(
                LEASES, SYSTEM_NAMESPACE, labels=selector(project), timeout=TIMEOUT, limit=limit, more=more
            )
            return Listing([state_of(lease, found.date) for lease in found.items], found.version, found.more)

        with asking(self.cluster, f"listing the leases of {project}", "list leases"):
            return every(page)

    def await_change(self, identity: Identity, position: str, seconds: float) -> bool:
        """Whether the lease was changed after `position`: True at once when it is, False after about `seconds`.

        Raises:
            NoAnswerError: it cannot be watched (from there); look, but not at once.
        """
        with (
            asking(self.cluster, f"watching the lease of {identity.ref}", "watch leases"),
            closing(
                self.cluster.api.watch(
                    LEASES,
                    SYSTEM_NAMESPACE,
                    fields=_only(identity),
                    version=position,
                    seconds=max(1, math.ceil(seconds)),
                    timeout=(TIMEOUT, seconds + 0.5),
                )
            ) as response,
            suppress(ReadTimeoutError),  # the API server would have ended it a moment later
        ):
            for line in lines(response):
                match parse_json(line):
                    case {"type": "BOOKMARK"}:
                        continue  # how far the API server has come, and no change
                    case {"type": "ERROR"}:
                        raise NoAnswerError(
                            f"the Kubernetes API server cannot watch the lease of {identity.ref} now: {line[:1000]!r}"
                        )
                return True
        return False


def _only(identity: Identity) -> str:
    return f"metadata.name={identity.namespace}"
