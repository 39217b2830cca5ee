"""Which handler serves which resource type. Importing this imports psycopg, which takes longer than all the rest."""

from sandbox.plugins.postgresql.database import Database
from sandbox.plugins.postgresql.extension import Extension
from sandbox.plugins.postgresql.grant import Grant
from sandbox.plugins.postgresql.grant_role import GrantRole
from sandbox.plugins.postgresql.role import Role
from sandbox.plugins.postgresql.server import Server
from sandbox.plugins.provider import Resource


def handlers(server: Server) -> dict[str, Resource]:
    """By type."""
    return {
        "postgresql:index/database:Database": Database(server),
        "postgresql:index/extension:Extension": Extension(server),
        "postgresql:index/grant:Grant": Grant(server),
        "postgresql:index/grantRole:GrantRole": GrantRole(server),
        "postgresql:index/role:Role": Role(server),
    }
