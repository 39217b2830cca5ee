"""The provider: its settings, and the resource types it knows."""

from __future__ import annotations

import importlib
import os
import threading
from typing import TYPE_CHECKING

from sandbox.plugins.postgresql.settings import SUPPORTED, Settings
from sandbox.plugins.provider import Properties, Provider, Resource, sdk_version

if TYPE_CHECKING:
    from sandbox.plugins.postgresql.server import Server


class PostgresqlProvider(Provider):
    """`postgresql:index/...`."""

    name = "postgresql"
    version = sdk_version("postgresql")
    supported_config = SUPPORTED

    def __init__(self) -> None:
        """Know no server yet; it comes with `configure`."""
        super().__init__()
        self._settings: Settings | None = None
        self._server: Server | None = None
        self._lock = threading.Lock()

    def warm_up(self) -> None:
        """Import psycopg while the engine starts the program."""
        importlib.import_module("sandbox.plugins.postgresql.handlers")

    def configure(self, config: Properties) -> None:
        """Take the settings. Nothing connects before the first operation, so a preview needs no server."""
        settings = Settings.read(config, os.environ)
        with self._lock:
            self._settings, self._server = settings, None

    def resource(self, token: str) -> Resource:
        """Return the handler of `token`."""
        from sandbox.plugins.postgresql.handlers import handlers  # noqa: PLC0415 (slow: see warm_up)
        from sandbox.plugins.postgresql.server import Server  # noqa: PLC0415 (slow: see warm_up)

        with self._lock:
            if self._server is None:
                self._server = Server(self._settings or Settings.read({}, os.environ), self.cancellation)
                self.resources = handlers(self._server)
        return super().resource(token)

    def cancel(self) -> None:
        """Also interrupt the statements that are running."""
        super().cancel()
        if self._server:
            self._server.interrupt()
