"""Connections to the server, statements that can be interrupted, and errors as sentences."""

import contextlib
import queue
import threading
from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from sandbox.plugins.postgresql.settings import Settings
from sandbox.plugins.provider import AlreadyExistsError, Cancellation, CancelledError, ProviderError, UnreachableError

Connection = psycopg.Connection[tuple[Any, ...]]

_LOOK_FOR_CANCEL_SECONDS = 0.1
_ALREADY_EXISTS = frozenset({"42P04", "42710", "42P06"})  # database; role or extension; schema


class Server:
    """One server. Connections are short: opened for an operation, closed after it, never shared by threads."""

    def __init__(self, settings: Settings, cancellation: Cancellation) -> None:
        """Connect to nothing yet."""
        self.settings = settings
        self._cancellation = cancellation
        self._slots = threading.BoundedSemaphore(settings.max_connections) if settings.max_connections > 0 else None
        self._open: set[Connection] = set()
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def connect(self, database: str = "", doing: str = "") -> Iterator[Connection]:
        """Connect to `database`, or to the provider's. Every statement is its own transaction.

        `doing` begins the sentence of any failure: "creating the database \"shop\"".
        """
        with self._slots or contextlib.nullcontext():
            connection = self._connect(database or self.settings.database)
            with self._lock:
                self._open.add(connection)
            try:
                self._cancellation.check(doing)
                yield connection
            except psycopg.Error as error:
                raise self._sentence(error, doing) from None
            finally:
                with self._lock:
                    self._open.discard(connection)
                connection.close()

    def interrupt(self) -> None:
        """Ask the server to abandon what is running; called when the user cancels."""
        with self._lock:
            running = list(self._open)
        for connection in running:
            with contextlib.suppress(psycopg.Error):
                connection.cancel_safe(timeout=2)

    def _connect(self, database: str) -> Connection:
        # psycopg cannot be interrupted while it connects, and an unreachable host takes the whole timeout. So it
        # connects in a thread that is left alone once the user cancels.
        outcome: queue.SimpleQueue[Connection | psycopg.Error] = queue.SimpleQueue()

        def attempt() -> None:
            try:
                outcome.put(self._attempt(database))
            except psycopg.Error as error:
                outcome.put(error)

        threading.Thread(target=attempt, name="connect", daemon=True).start()
        while True:
            try:
                result = outcome.get(timeout=_LOOK_FOR_CANCEL_SECONDS)
            except queue.Empty:
                self._cancellation.check(f"PostgreSQL at {self._address}")
                continue
            if isinstance(result, psycopg.Error):
                raise self._unreachable(database, result) from None
            return result

    def _attempt(self, database: str) -> Connection:
        settings = self.settings
        optional: dict[str, Any] = {"sslrootcert": settings.sslrootcert} if settings.sslrootcert else {}
        return psycopg.connect(
            host=settings.host,
            port=settings.port,
            user=settings.username,
            password=settings.password or None,
            dbname=database,
            sslmode=settings.sslmode,
            connect_timeout=settings.connect_timeout,
            application_name="pulumi-resource-postgresql",
            autocommit=True,
            row_factory=tuple_row,
            **optional,
        )

    @property
    def _address(self) -> str:
        return f"{self.settings.host}:{self.settings.port}"

    def _unreachable(self, database: str, error: psycopg.Error) -> UnreachableError:
        reason = " ".join(str(error).split()) or type(error).__name__
        return UnreachableError(
            f"Cannot connect to PostgreSQL at {self._address} ({self.settings.origin}) as {self.settings.username!r}, "
            f"database {database!r}, sslmode {self.settings.sslmode}: {reason}"
        )

    def _sentence(self, error: psycopg.Error, doing: str) -> ProviderError:
        if self._cancellation.cancelled and error.sqlstate == "57014":
            return CancelledError(f"Cancelled while {doing}.")
        diagnosis = error.diag
        reason = diagnosis.message_primary or " ".join(str(error).split())
        extra = "".join(
            f" ({' '.join(text.split())})" for text in (diagnosis.message_detail, diagnosis.message_hint) if text
        )
        kind = AlreadyExistsError if error.sqlstate in _ALREADY_EXISTS else ProviderError
        state = f" [SQLSTATE {error.sqlstate}]" if error.sqlstate else ""
        return kind(f"Error while {doing}: {reason}{extra}{state}")


def one(connection: Connection, query: str, *values: object) -> tuple[Any, ...] | None:
    """The first row of a query."""
    return connection.execute(query.encode(), values).fetchone()


def run(connection: Connection, statement: str, **parts: sql.Composable) -> None:
    """Run a statement whose names and literals are filled in safely: DDL takes no parameters."""
    connection.execute(sql.SQL(statement).format(**parts))


def name(text: str) -> sql.Composable:
    """A name, quoted."""
    return sql.Identifier(text)


def literal(value: str | int | bool) -> sql.Composable:
    """A value, quoted."""
    return sql.Literal(value)


def words(text: str) -> sql.Composable:
    """A piece of SQL from a fixed list of ours, never from an input."""
    return sql.SQL(text)
