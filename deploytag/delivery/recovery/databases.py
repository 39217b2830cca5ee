"""The environment's database and role on their server, seen and repaired as an administrator who is no superuser."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import errors, sql

from deploytag.administrator import Administrator
from deploytag.delivery.inventory import databases
from deploytag.errors import DeploymentError
from deploytag.identity import Identity
from deploytag.preflight import database

TIMEOUT = 10
"""Seconds one connection and each of its statements may take."""

Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Catalog:
    """What the server has of an identity's names."""

    owner: str | None
    """Of the database; None: there is none."""
    role_exists: bool
    allows_connections: bool
    is_administered: bool
    """Whether the administrator may act for the database's owner."""
    is_invalid: bool
    """Whether a drop of it was interrupted: PostgreSQL lets it be dropped again, and nothing else."""


def look(administrator: Administrator, identity: Identity) -> Catalog:
    """What the server has of the identity's names.

    Raises:
        UnreachableError: the server refuses or does not answer.
    """
    with transaction(administrator) as connection:
        found = connection.execute(
            "SELECT pg_get_userbyid(datdba), datallowconn, pg_has_role(datdba, 'USAGE'), datconnlimit = %s"
            " FROM pg_database WHERE datname = %s",
            [databases.INVALID, identity.database],
        ).fetchone()
        role = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [identity.role]).fetchone()
    owner, allows, administered, invalid = found or (None, True, True, False)
    return Catalog(owner, role is not None, allows, administered, invalid)


def administer(administrator: Administrator, role: str) -> None:
    """Make the administrator a member of `role`, as the program declares it; it may, having made the role."""
    with transaction(administrator) as connection:
        # Since PostgreSQL 16 a membership comes with the role's privileges only where it says so.
        option = " WITH INHERIT TRUE, SET TRUE" if connection.info.server_version >= 160000 else ""
        connection.execute(sql.SQL("GRANT {} TO CURRENT_USER" + option).format(sql.Identifier(role)))


def allow_connections(administrator: Administrator, database: str) -> None:
    """Let sessions into the database again; only who administers its owner may."""
    with transaction(administrator) as connection:
        connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(sql.Identifier(database)))


def drop_database(administrator: Administrator, name: str, role: str) -> None:
    """Drop the database of `role`."""
    try:
        with databases.connected(administrator) as server:
            server.drop_database(name, role)
    except psycopg.Error as error:
        raise database.refused(administrator, error) from None


def drop_role(administrator: Administrator, role: str) -> None:
    """Drop a role that owns nothing.

    Raises:
        DeploymentError: it does own something; the sentence has PostgreSQL's own words on what.
    """
    with transaction(administrator) as connection:
        try:
            connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(role)))
        except errors.DependentObjectsStillExist as error:
            raise DeploymentError(
                f"the role {role} was left by an interrupted run and cannot be dropped, since it owns something: "
                f"{' '.join((error.diag.message_detail or str(error)).split())}. Hand that over or drop it, then try "
                "again."
            ) from None


@contextlib.contextmanager
def transaction(administrator: Administrator) -> Iterator[Connection]:
    """A transaction as the administrator; committed unless something is raised."""
    try:
        with database.connect(administrator, TIMEOUT) as connection:
            yield connection
    except psycopg.Error as error:
        raise database.refused(administrator, error) from None
