"""The provider: its settings, and the resource types it knows."""

import os
from importlib.metadata import version

from sandbox.plugins.postgresql.database import Database
from sandbox.plugins.postgresql.extension import Extension
from sandbox.plugins.postgresql.grant import Grant
from sandbox.plugins.postgresql.grant_role import GrantRole
from sandbox.plugins.postgresql.role import Role
from sandbox.plugins.postgresql.server import Server
from sandbox.plugins.postgresql.settings import SUPPORTED, Settings
from sandbox.plugins.provider import Properties, Provider


class PostgresqlProvider(Provider):
    """`postgresql:index/...`."""

    name = "postgresql"
    version = version("pulumi-postgresql")
    supported_config = SUPPORTED

    def __init__(self) -> None:
        """Know the resource types; which server they are on comes with `configure`."""
        super().__init__()
        self._server: Server | None = None

    def configure(self, config: Properties) -> None:
        """Take the settings. Nothing connects before the first operation, so a preview needs no server."""
        self._server = server = Server(Settings.read(config, os.environ), self.cancellation)
        self.resources = {
            "postgresql:index/database:Database": Database(server),
            "postgresql:index/extension:Extension": Extension(server),
            "postgresql:index/grant:Grant": Grant(server),
            "postgresql:index/grantRole:GrantRole": GrantRole(server),
            "postgresql:index/role:Role": Role(server),
        }

    def cancel(self) -> None:
        """Also interrupt the statements that are running."""
        super().cancel()
        if self._server:
            self._server.interrupt()
