"""Settings that a role's sessions begin with: `ALTER ROLE ... SET`, and how they read back from `rolconfig`."""

from collections.abc import Sequence

from psycopg import sql

from sandbox.plugins.postgresql.server import Connection, name, run
from sandbox.plugins.provider import Properties

_NO_TIMEOUT = sql.Literal(0)


def search_path(schemas: Sequence[str]) -> sql.Composable | None:
    """The schemas as a value of `search_path`."""
    return sql.SQL(", ").join([sql.Identifier(schema) for schema in schemas]) if schemas else None


def set_or_reset(connection: Connection, role: str, setting: str, value: sql.Composable | None) -> None:
    """Set it for the role, or leave it to the server: no value and a timeout of 0 mean that."""
    if value is None or value == _NO_TIMEOUT:
        run(connection, f"ALTER ROLE {{role}} RESET {setting}", role=name(role))
    else:
        run(connection, f"ALTER ROLE {{role}} SET {setting} TO {{value}}", role=name(role), value=value)


def read_settings(entries: Sequence[str]) -> Properties:
    """The outputs that `rolconfig` holds; each entry is `setting=value`."""
    config = dict(entry.split("=", 1) for entry in entries)
    found: Properties = {
        "statementTimeout": int(config.get("statement_timeout", 0)),
        "idleInTransactionSessionTimeout": int(config.get("idle_in_transaction_session_timeout", 0)),
    }
    if "search_path" in config:
        found["searchPaths"] = [part.strip('"') for part in config["search_path"].split(", ")]
    if config.get("role"):
        found["assumeRole"] = config["role"].strip('"')
    return found
