"""What an environment's runs have written, by what is made anew when it is written twice: uids, an oid, a number."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

import psycopg

from deploytag.delivery.inventory.databases import INVALID
from deploytag.delivery.recovery.facts import Revision, Status
from deploytag.delivery.recovery.state import State, release_id
from deploytag.delivery.resource_types import NAMESPACE, RELEASE
from deploytag.delivery.store import StateStore
from deploytag.identity import Identity
from tests.e2e.program.inventory import kubectl


@dataclass(frozen=True)
class Written:
    """What there is at one moment."""

    identity: Identity
    namespace: str = ""
    """Its uid; empty: there is none."""
    database: int | None = None
    """Its oid; None: there is none that could be used."""
    releases: dict[str, Revision] = field(default_factory=dict)
    """What Helm keeps of the revisions, by the uid of its Secret, oldest first."""
    state: State = field(default_factory=State)
    """What Pulumi knows."""

    @property
    def newest(self) -> Revision:
        """The release's last revision; one of the number 0 where there is none."""
        return list(self.releases.values())[-1] if self.releases else Revision(0, Status.UNKNOWN)

    @property
    def without_state(self) -> tuple[object, ...]:
        """What an `up` that has nothing to do leaves as it is."""
        return self.namespace, self.database, self.releases


def written(identity: Identity, store: StateStore) -> Written:
    """What there is now."""
    namespace = kubectl("get", "namespace", identity.namespace, "--ignore-not-found", "-o", "jsonpath={.metadata.uid}")
    listed = kubectl(
        "get", "secrets", "-n", identity.namespace, "-l", f"owner=helm,name={identity.release}", "-o", "json"
    )
    revisions = {
        it["metadata"]["uid"]: Revision(
            int(it["metadata"]["labels"]["version"]), Status(it["metadata"]["labels"]["status"])
        )
        for it in json.loads(listed)["items"]
    }
    with psycopg.connect() as connection:
        found = connection.execute(
            "SELECT oid FROM pg_database WHERE datname = %s AND datconnlimit <> %s", [identity.database, INVALID]
        ).fetchone()
    return Written(
        identity,
        namespace,
        found[0] if found else None,
        dict(sorted(revisions.items(), key=lambda it: it[1].version)),
        State.of(store.checkpoint(identity.project, identity.stack) or {}),
    )


def twice(before: Written, dead: Written, after: Written) -> list[str]:
    """What the rerun of a deployment wrote once more, or did away with, though it was there. Pure.

    Args:
        before: what there was when the run began that died.
        dead: what it left.
        after: what there is since the rerun.
    """
    return [*_made_anew(before, dead, after), *_released_again(before, dead, after)]


def _made_anew(before: Written, dead: Written, after: Written) -> Iterator[str]:
    # What Pulumi does not know of a namespace it could not make: then it has to be made anew.
    known = dead.state.find(NAMESPACE, dead.identity.namespace)
    namespace = before.namespace or (dead.namespace if known else "")
    if namespace and after.namespace != namespace:
        yield f"the namespace was {namespace} and is {after.namespace}"
    database = before.database or dead.database
    if database and after.database != database:
        yield f"the database was {database} and is {after.database}"


def _released_again(before: Written, dead: Written, after: Written) -> Iterator[str]:
    release = dead.state.find(RELEASE, release_id(dead.identity))
    unsure = release is None or any(it.urn == release.urn for it in dead.state.pending)
    done = dead.newest.status is Status.DEPLOYED and dead.newest.version > before.newest.version
    if done and not unsure:
        if after.releases != dead.releases:
            yield f"the release was done, {dead.releases}, and is {after.releases}"
        return
    if not before.releases:
        least = most = 1  # what is left of a first installation is uninstalled
    else:
        least = max(before.newest.version + 1, dead.newest.version)
        # An interrupted upgrade is rolled back, and made once more.
        most = dead.newest.version + (1 if dead.newest.status is Status.DEPLOYED else 2)
    if not least <= after.newest.version <= most or after.newest.status is not Status.DEPLOYED:
        yield f"the release was at {dead.newest} and is at {after.newest}, but {least} to {most} will do"
