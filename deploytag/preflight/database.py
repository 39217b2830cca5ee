"""The database server: who owns a database or role of the identity's names?"""

import psycopg

from deploytag.administrator import Administrator
from deploytag.errors import UnreachableError
from deploytag.identity import Identity

TIMEOUT = 5
"""Seconds a connection and its questions may take."""


def connect(administrator: Administrator, seconds: int = TIMEOUT, *, autocommit: bool = False) -> psycopg.Connection:
    """A connection as the administrator, each of whose statements may take so many seconds.

    libpq itself reads the password (PGPASSWORD, ~/.pgpass) and what else decides how to connect (PGSSLMODE, …).

    Raises:
        UnreachableError: the server refuses it, or does not answer.
    """
    try:
        connection = psycopg.connect(
            host=administrator.host,
            port=administrator.port,
            user=administrator.user,
            dbname=administrator.database,
            connect_timeout=TIMEOUT + 1,  # who asks has given up by then, and says it better
            application_name="deploytag",
            autocommit=autocommit,
        )
        # Not as a connection option: it would put aside the user's own PGOPTIONS, and PgBouncer refuses it.
        connection.execute(f"SET statement_timeout = '{seconds}s'")
    except psycopg.Error as error:
        raise refused(administrator, error) from None
    return connection


def refused(administrator: Administrator, error: psycopg.Error) -> UnreachableError:
    """What is said when the server refuses the administrator something."""
    return UnreachableError(
        f"PostgreSQL refuses the administrator {administrator.user} (database {administrator.database} at "
        f"{administrator.host}:{administrator.port}): {' '.join(str(error).split())}. PGHOST, PGPORT, PGUSER, "
        "PGPASSWORD and PGDATABASE decide."
    )


def owner_and_role(administrator: Administrator, identity: Identity) -> tuple[str | None, bool]:
    """The owner of the identity's database (None: there is none), and whether its role exists.

    Raises:
        UnreachableError: the server refuses.
    """
    try:
        with connect(administrator) as connection:
            owner = connection.execute(
                "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = %s", [identity.database]
            ).fetchone()
            role = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [identity.role]).fetchone()
    except psycopg.Error as error:
        raise refused(administrator, error) from None
    return (owner[0] if owner else None), role is not None
