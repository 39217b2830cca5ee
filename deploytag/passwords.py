"""Passwords of databases: derived from a class's key, never stored. Pure; no message here ever holds one."""

import hashlib
import hmac
from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class DatabaseAddress:
    """Where an environment's database is reached; everything of its URL that is no secret."""

    host: str
    port: int
    database: str
    role: str
    sslmode: str | None = None

    def url(self, password: str) -> str:
        """A libpq connection URI (PostgreSQL manual, 34.1.1.2) with `password` in it: a secret."""
        query = f"?sslmode={self.sslmode}" if self.sslmode else ""
        return (
            f"postgresql://{quote(self.role)}:{quote(password, safe='')}@{self.host}:{self.port}/{self.database}{query}"
        )


def database_password(key: str, role: str) -> str:
    """The password of a database role, derived from the class's key, so that nothing needs storing."""
    return hmac.new(key.encode(), f"postgresql role {role}".encode(), hashlib.sha256).hexdigest()
