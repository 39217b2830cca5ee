"""What exists in the cluster and on the database server, asked with the tools a person would use."""

import json
import subprocess
from typing import Any

import psycopg

from deploytag.identity import Identity


def kubectl(*arguments: str, document: Any = None) -> str:
    """`kubectl` as the administrator; it reads `document` where the arguments say `-f -`."""
    given = None if document is None else json.dumps(document)
    return subprocess.run(["kubectl", *arguments], input=given, capture_output=True, text=True, check=True).stdout


def databases_like(identity: Identity) -> list[tuple[str]]:
    with psycopg.connect() as connection:
        return connection.execute(
            "SELECT datname FROM pg_database WHERE datname = %(name)s"
            " UNION ALL SELECT rolname FROM pg_roles WHERE rolname = %(name)s",
            {"name": identity.database},
        ).fetchall()


def made(identity: Identity) -> list[str]:
    """What exists of the identity's names, but for the note that it was destroyed."""
    found = [name for (name,) in databases_like(identity)]
    found += [line for line in kubectl("get", "namespaces", "-o", "name").splitlines() if identity.namespace in line]
    found += [
        line
        for line in kubectl("get", "configmaps", "-n", "deploytag-system", "-o", "name").splitlines()
        if identity.namespace in line and not line.endswith(".tombstone")
    ]
    return found
