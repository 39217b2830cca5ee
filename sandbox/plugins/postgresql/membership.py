"""Acting for a role that owns something, as an administrator who is no superuser (on RDS nobody is)."""

import contextlib
from collections.abc import Iterator

from sandbox.plugins.postgresql.server import Connection, name, one, run


@contextlib.contextmanager
def member_of(connection: Connection, *roles: str) -> Iterator[None]:
    """Make the connected user a member of `roles` for the duration, where it is not one already.

    PostgreSQL lets only a member of the owning role change, hand over or drop a database or its objects.
    """
    with contextlib.ExitStack() as undo:
        for role in dict.fromkeys(roles):
            if _is_needed(connection, role):
                undo.enter_context(_granted(connection, role))
        yield


@contextlib.contextmanager
def _granted(connection: Connection, role: str) -> Iterator[None]:
    # Two operations on one role must not revoke each other's membership; the lock also holds between processes.
    one(connection, "SELECT pg_advisory_lock(hashtext(%s))", f"deploytag membership of {role}")
    try:
        if not _is_needed(connection, role):
            yield
            return
        run(connection, "GRANT {role} TO CURRENT_USER", role=name(role))
        try:
            yield
        finally:
            # The role may have been dropped meanwhile, and its memberships with it.
            if one(connection, "SELECT 1 FROM pg_roles WHERE rolname = %s", role):
                run(connection, "REVOKE {role} FROM CURRENT_USER", role=name(role))
    finally:
        if not connection.broken:
            one(connection, "SELECT pg_advisory_unlock(hashtext(%s))", f"deploytag membership of {role}")


def _is_needed(connection: Connection, role: str) -> bool:
    """Whether the role exists, may be granted, and the user cannot act for it yet."""
    # Since PostgreSQL 16 a member may lack the right to act for the role (the SET option).
    privilege = "SET" if connection.info.server_version >= 160000 else "MEMBER"
    found = one(connection, "SELECT rolsuper OR pg_has_role(oid, %s) FROM pg_roles WHERE rolname = %s", privilege, role)
    return found is not None and not found[0]
