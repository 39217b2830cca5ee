"""Which server to connect to, and as whom: from the provider's settings, else from libpq's environment variables."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.plugins.provider import InvalidInputError, Properties, config_value, reveal

SUPPORTED = frozenset(
    {
        "connectTimeout",
        "database",
        "databaseUsername",
        "host",
        "maxConnections",
        "password",
        "port",
        "scheme",
        "sslMode",
        "sslmode",
        "sslrootcert",
        "superuser",
        "username",
    }
)
# Those that lib/pq, the driver of the official plugin, knows. `prefer` of libpq is not among them.
_SSL_MODES = ("disable", "require", "verify-ca", "verify-full")


@dataclass(frozen=True)
class Settings:
    """The provider's settings, with the defaults of the official plugin."""

    host: str
    port: int
    username: str
    password: str = field(repr=False)
    database: str
    database_username: str
    superuser: bool
    sslmode: str
    sslrootcert: str
    connect_timeout: int
    max_connections: int
    origin: str
    """Where host and port come from, as told to a person whose server does not answer."""

    @classmethod
    def read(cls, config: Properties, environment: Mapping[str, str]) -> "Settings":
        """Combine settings and environment; what is wrong is said here, before anything connects."""
        look = _Lookup(reveal(config), environment)
        if look.text("scheme", None, "postgres") != "postgres":
            raise InvalidInputError("The offline postgresql plugin supports only the `postgresql:scheme` postgres.")
        username = look.text("username", "PGUSER", "postgres")
        sslmode = look.text("sslmode", "PGSSLMODE", "") or look.text("sslMode", None, "") or "require"
        if sslmode not in _SSL_MODES:
            raise InvalidInputError(f"`postgresql:sslmode` is {sslmode!r}; it can be {', '.join(_SSL_MODES)}.")
        return cls(
            host=look.text("host", "PGHOST", "localhost"),
            port=look.number("port", "PGPORT", 5432),
            username=username,
            password=look.text("password", "PGPASSWORD", ""),
            database=look.text("database", "PGDATABASE", "postgres"),
            database_username=look.text("databaseUsername", None, username),
            superuser=look.boolean("superuser", "PGSUPERUSER", True),
            sslmode=sslmode,
            sslrootcert=look.text("sslrootcert", None, ""),
            connect_timeout=look.number("connectTimeout", "PGCONNECT_TIMEOUT", 180),
            max_connections=look.number("maxConnections", None, 20),
            origin=f"{look.origin('host', 'PGHOST')}, {look.origin('port', 'PGPORT')}",
        )


@dataclass(frozen=True)
class _Lookup:
    config: Properties
    environment: Mapping[str, str]

    def _raw(self, key: str, variable: str | None, default: Any) -> Any:
        if self.config.get(key) not in (None, ""):
            return self.config[key]
        return (self.environment.get(variable) if variable else None) or default

    def text(self, key: str, variable: str | None, default: str) -> str:
        return str(self._raw(key, variable, default))

    def number(self, key: str, variable: str | None, default: int) -> int:
        raw = self._raw(key, variable, default)
        try:
            return int(raw)
        except ValueError:
            raise InvalidInputError(f"`postgresql:{key}` ({variable}) is {raw!r}; it must be a whole number.") from None

    def boolean(self, key: str, variable: str | None, default: bool) -> bool:
        value = config_value({key: self._raw(key, variable, default)}, key)
        if not isinstance(value, (bool, int)):
            raise InvalidInputError(f"`postgresql:{key}` ({variable}) is {value!r}; it must be true or false.")
        return bool(value)

    def origin(self, key: str, variable: str) -> str:
        """Where a value comes from."""
        if self.config.get(key) not in (None, ""):
            return f"{key} from the setting `postgresql:{key}`"
        return f"{key} from {variable}" if self.environment.get(variable) else f"{key} by default, {variable} not set"
