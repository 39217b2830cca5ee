"""Who makes and drops databases, and on which server: libpq's own variables, read once. Pure.

The password is not here: libpq and the PostgreSQL provider read PGPASSWORD (or ~/.pgpass) themselves.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from deploytag.address import AddressError, parse_port
from deploytag.errors import SettingsError

OWN_SESSION = "-c search_path=pg_catalog -c role=none -c statement_timeout=0 -c default_transaction_read_only=off"
"""What a session in an environment's database begins with when its administrator opens it.

The owner of a database decides that too (ALTER DATABASE ... SET), and can have names of the catalog mean functions of
its own, which the administrator would then call with its rights. What a client asks for goes before what is set there
(PostgreSQL manual, 20.1.3 and CVE-2018-1058).
"""


def in_own_session(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment in which libpq, and the PostgreSQL provider, open sessions that no database's owner has set."""
    return {**environ, "PGOPTIONS": f"{environ.get('PGOPTIONS', '')} {OWN_SESSION}".lstrip()}


@dataclass(frozen=True, slots=True)
class Administrator:
    """The role that makes and drops databases, and how it connects."""

    host: str
    """A name, an IP address, or the directory of a unix socket."""
    port: int = 5432
    user: str = "postgres"
    database: str = "postgres"
    """Where it connects. libpq would take a database that is named like the user, which administrators rarely have."""
    sslmode: str | None = None

    @property
    def server(self) -> str:
        """The server it administers, as `host:port`."""
        return f"{self.host}:{self.port}"

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """What PGHOST, PGPORT, PGUSER, PGDATABASE and PGSSLMODE say; an empty one says nothing, as with libpq.

        Raises:
            SettingsError: PGHOST is missing, or PGPORT is no port.
        """
        host = environ.get("PGHOST")
        if not host:
            raise SettingsError(
                "no database server is named: set PGHOST (with PGUSER and PGPASSWORD of its administrator), or give "
                "the class `database: false`."
            )
        try:
            port = parse_port(environ.get("PGPORT") or "5432")
        except AddressError as error:
            raise SettingsError(f"PGPORT cannot be used: {error}. Correct it or unset it (5432).") from None
        return cls(
            host,
            port,
            environ.get("PGUSER") or "postgres",
            environ.get("PGDATABASE") or "postgres",
            environ.get("PGSSLMODE") or None,
        )
