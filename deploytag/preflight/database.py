"""The database server: who owns a database or role of the identity's names?"""

import psycopg

from deploytag.errors import UnreachableError
from deploytag.identity import Identity

TIMEOUT = 5
"""Seconds a connection may take."""


def owner_and_role(identity: Identity) -> tuple[str | None, bool]:
    """The owner of the identity's database (None: there is none), and whether its role exists.

    Connects as libpq's own variables (PGHOST, PGUSER, PGPASSWORD, …) say.

    Raises:
        UnreachableError: the server refuses.
    """
    try:
        with psycopg.connect(connect_timeout=TIMEOUT, application_name="deploytag preflight") as connection:
            owner = connection.execute(
                "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = %s", [identity.database]
            ).fetchone()
            role = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [identity.role]).fetchone()
    except psycopg.Error as error:
        raise UnreachableError(
            f"PostgreSQL refuses the administrator: {str(error).strip()}. PGHOST, PGPORT, PGUSER and PGPASSWORD decide."
        ) from None
    return (owner[0] if owner else None), role is not None
