"""Where Docker's command and its buildx keep their configuration. Pure."""

from collections.abc import Mapping
from pathlib import Path


def docker_folder(environ: Mapping[str, str]) -> Path:
    """Of Docker's command: logins, contexts."""
    return Path(environ.get("DOCKER_CONFIG") or Path(environ.get("HOME", "~")).expanduser() / ".docker")


def buildx_folder(environ: Mapping[str, str]) -> Path:
    """Of buildx, on its own or in a plugin of Pulumi's: builders, and the builds that were begun."""
    return Path(environ.get("BUILDX_CONFIG") or docker_folder(environ) / "buildx")
