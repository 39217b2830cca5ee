"""Where the sandbox keeps what it makes."""

import os
from pathlib import Path


def cache() -> Path:
    """Everything that is cached by content and may be deleted at any time: built programs, image sources, tools."""
    return _from_environment("DEPLOYTAG_CACHE", default_cache())


def default_cache() -> Path:
    """Where that is unless DEPLOYTAG_CACHE says otherwise."""
    return Path.home() / ".cache" / "deploytag"


def data() -> Path:
    """The running sandbox's own directory: configuration, sockets, logs and the data of its services."""
    return _from_environment("DEPLOYTAG_SANDBOX", cache() / "sandbox")


def _from_environment(variable: str, default: Path) -> Path:
    # Absolute: the path ends up in configuration files that programs read from other working directories.
    return Path(os.environ.get(variable) or default).expanduser().absolute()
