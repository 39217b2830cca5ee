"""The database server as its administrator sees it: who owns what, and the dropping of it.

The administrator is no superuser (as on RDS): it may drop what it is a member of the owner of, and end the sessions of
the roles it is a member of.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

from deploytag.administrator import Administrator
from deploytag.delivery.inventory.things import Connections, RoleLimits, Server
from deploytag.preflight.database import connect

INVALID = -2
"""The connection limit of a database whose drop was interrupted: it can only be dropped, and whoever alters it loses
the connection. Since PostgreSQL 15.4 and the releases of that day: https://www.postgresql.org/docs/release/15.4/."""
TIMEOUT = 30
"""Seconds one statement may take: dropping a database ends its sessions and deletes its files."""


class Databases:
    """One connection to the server, as its administrator."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection

    def look(self) -> Server:
        """All databases and roles: two small catalogs, however many environments there are."""
        owners = self._connection.execute("SELECT datname, pg_get_userbyid(datdba) FROM pg_database")
        roles = self._connection.execute("SELECT rolname FROM pg_roles")
        return Server(dict(owners.fetchall()), frozenset(name for (name,) in roles))

    def connections(self) -> Connections:
        """The server's room for sessions."""
        room = self._connection.execute(
            "SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int "
            "- coalesce(current_setting('reserved_connections', true)::int, 0)"  # since PostgreSQL 16
        ).fetchone()
        limits = self._connection.execute(
            "SELECT rolname, rolconnlimit FROM pg_roles "
            "JOIN pg_database ON datdba = pg_roles.oid AND datname = rolname WHERE rolconnlimit > 0"
        )
        return Connections(int(room[0]) if room else 0, dict(limits.fetchall()))

    def limits_of(self, role: str) -> RoleLimits | None:
        """What a role may take; None: there is no such role."""
        found = self._connection.execute(
            "SELECT rolconnlimit, (SELECT option_value FROM pg_options_to_table(rolconfig) "
            "WHERE option_name = 'statement_timeout') FROM pg_roles WHERE rolname = %s",
            [role],
        ).fetchone()
        return RoleLimits(int(found[0]), str(found[1] or 0)) if found else None

    def drop_database(self, database: str, role: str) -> None:
        """Drop the database of `role`, with whatever sessions are open in it.

        Raises:
            psycopg.Error: the server refuses; it is closed to new sessions all the same.
        """
        self._join(role)
        if self._can_be_altered(database):
            self._run("ALTER DATABASE {} ALLOW_CONNECTIONS false", database)
        # FORCE ends the sessions within the same statement: a pool that reconnects at once cannot get between.
        self._run("DROP DATABASE IF EXISTS {} WITH (FORCE)", database)

    def shut_out(self, database: str) -> tuple[str, ...]:
        """End the sessions of roles that may not connect to the database (any more); returns those that are left.

        Everybody may connect to a database that was just made, until that is revoked, and REVOKE ends no session.
        """
        uninvited = (
            "FROM pg_stat_activity WHERE datname = %s AND usesysid IS NOT NULL "
            "AND NOT has_database_privilege(usesysid, datid, 'CONNECT')"
        )
        # Only whoever is a member of a role may end its sessions: those of others would be an error.
        self._connection.execute(
            f"SELECT pg_terminate_backend(pid) {uninvited} AND pg_has_role(current_user, usesysid, 'USAGE')",
            [database],
        )
        left = self._connection.execute(
            f"SELECT DISTINCT usename::text {uninvited} AND NOT pg_has_role(current_user, usesysid, 'USAGE')",
            [database],
        )
        return tuple(sorted(name for (name,) in left))

    def drop_role(self, role: str) -> None:
        """Drop a role; what it was granted goes with it.

        Raises:
            psycopg.Error: the server refuses, such as for a role that still owns something.
        """
        self._run("DROP ROLE IF EXISTS {}", role)

    def _join(self, role: str) -> None:
        """Become a member of the role: the grant that the program declares may be gone already."""
        row = self._connection.execute("SELECT pg_has_role(current_user, %s, 'USAGE')", [role]).fetchone()
        if row is not None and not row[0]:
            self._run("GRANT {} TO CURRENT_USER", role)

    def _can_be_altered(self, database: str) -> bool:
        """Whether it is there, and whole. One that is invalid lets nobody in as it is."""
        found = self._connection.execute("SELECT datconnlimit FROM pg_database WHERE datname = %s", [database])
        return found.fetchone() not in {None, (INVALID,)}

    def _run(self, statement: str, name: str) -> None:
        self._connection.execute(sql.SQL(statement).format(sql.Identifier(name)))


@contextmanager
def connected(administrator: Administrator) -> Iterator[Databases]:
    """A connection for a few statements, each of its own transaction.

    Raises:
        UnreachableError: the server refuses the connection, or does not answer.
    """
    with connect(administrator, TIMEOUT, autocommit=True) as connection:
        yield Databases(connection)
