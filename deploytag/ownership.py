"""How one sees whose a thing is: labels, annotations, and the ledger of databases. Pure.

Something of an environment's name that is not provably its own is refused, named, and left alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deploytag.identity import Identity

SYSTEM_NAMESPACE = "deploytag-system"
"""Where DeployTag keeps what belongs to no single environment: the ledger of databases."""

PROJECT = "deploytag.dev/project"
REF = "deploytag.dev/ref"
STACK = "deploytag.dev/stack"
ALLOWS = "deploytag.dev/allows"
"""Annotation of a network policy: what it lets through, for people."""
SERVER = "deploytag.dev/server"
"""Annotation of the ledger's entry: the server that the database is on, as `host:port`."""
KIND = "deploytag.dev/kind"
"""Label of what the wrapper keeps in the system namespace: `record` or `tombstone`."""


def labels(identity: Identity) -> dict[str, str]:
    """Labels of everything made for an environment: to select by. What proves whose it is are the annotations."""
    return {
        "app.kubernetes.io/managed-by": "deploytag",
        PROJECT: _label(identity.project),
        STACK: _label(identity.stack),
    }


def selector(project: str) -> str:
    """Label selector for everything made for any environment of `project`; annotations decide whose it really is."""
    return f"app.kubernetes.io/managed-by=deploytag,{PROJECT}={_label(project)}"


def _label(text: str) -> str:
    """As much of `text` as a label's value may hold: 63 characters, the first and the last a letter or digit."""
    return text[:63].strip("-_.")


def annotations(identity: Identity) -> dict[str, str]:
    """Annotations of everything made for an environment."""
    return {PROJECT: identity.project, REF: identity.ref}


def owns(identity: Identity, annotations: Mapping[str, str]) -> bool:
    """Whether an object with these annotations was made for exactly this (project, ref)."""
    return annotations.get(PROJECT) == identity.project and annotations.get(REF) == identity.ref


@dataclass(frozen=True, slots=True)
class DatabaseFacts:
    """What the server and the ledger say of a database and a role of the identity's names."""

    owner: str | None
    """Role that owns the database; None: there is no such database."""
    role_exists: bool
    ledger: Mapping[str, str] | None
    """What the ledger's entry says, see `said_by_ledger`; None: there is no entry."""
    server: str | None = None
    """Which server was asked, as `host:port`."""

    @property
    def is_absent(self) -> bool:
        """Whether that server has neither."""
        return self.owner is None and not self.role_exists


def ledger_entry(identity: Identity) -> dict[str, str]:
    """The data of the ledger's entry of an environment's database. Written before the database is made.

    It never changes: an entry with other data would be another one, and the provider would delete this one first.
    """
    return {"project": identity.project, "ref": identity.ref, "database": identity.database, "role": identity.role}


def ledger_annotations(identity: Identity, server: str) -> dict[str, str]:
    """The annotations of that entry; `server` is where the database is, as PGHOST and PGPORT name it today."""
    return {**annotations(identity), SERVER: server}


def said_by_ledger(entry: Mapping[str, Any]) -> dict[str, str]:
    """What an entry says, as the API has it: its data, and under `SERVER` where the database is, if that is known."""
    server = ((entry.get("metadata") or {}).get("annotations") or {}).get(SERVER)
    data = {key: it for key, it in (entry.get("data") or {}).items() if key != SERVER}
    return data if server is None else {**data, SERVER: server}


def names(ledger: Mapping[str, str] | None, identity: Identity) -> bool:
    """Whether an entry of the ledger is the identity's, on whatever server."""
    return ledger is not None and {key: it for key, it in ledger.items() if key != SERVER} == ledger_entry(identity)


def database_elsewhere(identity: Identity, facts: DatabaseFacts) -> str | None:
    """Why the identity's database cannot be taken for gone, though the server that was asked has none; else None.

    A server may go by several names, so what is found there is not asked where it was made.
    """
    made_on = (facts.ledger or {}).get(SERVER)
    if facts.server is None or made_on in (None, facts.server) or not facts.is_absent:
        return None
    return (
        f"by the ledger the database {identity.database} is on {made_on}, and PGHOST names {facts.server}, which does "
        f"not have it. Set PGHOST to where it is; if that server is no more, delete the entry: kubectl --namespace "
        f"{SYSTEM_NAMESPACE} delete configmap {identity.namespace}"
    )


def foreign_database(identity: Identity, facts: DatabaseFacts) -> str | None:
    """Why a database or role of the identity's name is not provably its own; None when it is, or when there is none."""
    if facts.is_absent:
        return None
    if facts.owner is not None and facts.owner != identity.role:
        return f"the database {identity.database} exists and belongs to the role {facts.owner}, not to {identity.role}"
    if not names(facts.ledger, identity):
        what = f"database {identity.database}" if facts.owner is not None else f"role {identity.role}"
        return f"the {what} exists and the ledger in {SYSTEM_NAMESPACE} does not name it"
    return None
