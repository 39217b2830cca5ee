"""Everything the application is told from outside: its environment, and nothing else."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

# Names that the container, Kubernetes or gunicorn put into every environment; the rest was configured by somebody.
PLATFORM_NAMES = {"HOME", "HOSTNAME", "LANG", "LC_CTYPE", "PATH", "PWD", "SERVER_SOFTWARE", "SHLVL", "TERM", "_"}
PLATFORM_PREFIXES = ("DEPLOYTAG_", "KUBERNETES_", "PYTHON")


class NotConfiguredError(Exception):
    """The environment lacks something that a command cannot work without."""


@dataclass(frozen=True)
class Settings:
    """Where the services are and which revision this is. A URL that is None means: this environment has none."""

    database_url: str | None = field(default=None, repr=False)  # holds a password
    redis_url: str | None = field(default=None, repr=False)
    ref: str = "unknown"
    revision: str = "unknown"
    secret: str | None = None
    """Name of the Kubernetes Secret that the variables came from; it changes whenever one of them does."""
    variables: tuple[str, ...] = ()
    """Names of the configured variables, never their values."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """Read the process's environment; an empty variable counts as an absent one."""
        return cls(
            database_url=environ.get("DATABASE_URL") or None,
            redis_url=environ.get("REDIS_URL") or None,
            ref=environ.get("DEPLOYTAG_REF") or "unknown",
            revision=environ.get("DEPLOYTAG_REVISION") or "unknown",
            secret=environ.get("DEPLOYTAG_ENV_SECRET") or None,
            variables=tuple(sorted(name for name in environ if is_configured(name))),
        )

    def need_database(self) -> str:
        """The database's URL, for what makes no sense without one."""
        if self.database_url is None:
            raise NotConfiguredError("DATABASE_URL is not set, and this command works on the database")
        return self.database_url

    def need_redis(self) -> str:
        """The URL of Redis, for what makes no sense without it."""
        if self.redis_url is None:
            raise NotConfiguredError("REDIS_URL is not set, and the jobs come from Redis")
        return self.redis_url


def is_configured(name: str) -> bool:
    """Tell a variable that was configured for this application from those of the platform it runs on."""
    return name not in PLATFORM_NAMES and not name.startswith(PLATFORM_PREFIXES)
