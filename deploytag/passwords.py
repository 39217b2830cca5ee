"""Passwords of databases: derived from a class's key, never stored. Pure; no message here ever holds one."""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from urllib.parse import quote

ITERATIONS = 4096
"""Of SCRAM, as PostgreSQL itself makes verifiers: the passwords are 256 random bits, which nobody finds by trying."""


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


def password_verifier(key: str, role: str) -> str:
    """What a server needs to recognise that password, as PostgreSQL stores it (SCRAM-SHA-256; RFC 5802, RFC 7677).

    Given in the password's place, it keeps that out of statements, and so out of the server's log, and out of the
    state. The salt is derived too, so that an unchanged password is an unchanged verifier.
    """
    salt = hmac.new(key.encode(), f"postgresql salt {role}".encode(), hashlib.sha256).digest()[:16]
    return scram_verifier(database_password(key, role), salt, ITERATIONS)


def scram_verifier(password: str, salt: bytes, iterations: int) -> str:
    """`SCRAM-SHA-256$ITERATIONS:SALT$STORED_KEY:SERVER_KEY`, of a password in ASCII: SASLprep leaves it as it is."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, iterations)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    said = [base64.b64encode(it).decode() for it in (salt, stored, server)]
    return f"SCRAM-SHA-256${iterations}:{said[0]}${said[1]}:{said[2]}"
