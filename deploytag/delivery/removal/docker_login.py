"""Docker's own credentials of a registry: `config.json` and the helpers it names."""

import base64
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

from deploytag.docker_folders import docker_folder
from deploytag.documents import parse_json, read_file
from deploytag.errors import UnreachableError

HELPER_SECONDS = 20.0
"""How long a credential helper may take."""


@dataclass(frozen=True, slots=True)
class Login:
    """How to log in."""

    user: str
    password: str
    is_token: bool = False
    """Whether the password is an identity token, for which a token is to be had and which is no login by itself."""

    @property
    def header(self) -> dict[str, str]:
        """As HTTP's basic authentication; nothing for an identity token."""
        if self.is_token:
            return {}
        return {"Authorization": "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()}


def credentials(host: str, environ: Mapping[str, str]) -> Login | None:
    """Docker's login for a registry; None where it has none.

    Raises:
        UnreachableError: the configuration cannot be read, or its helper fails.
    """
    path = docker_folder(environ) / "config.json"
    try:
        config = parse_json(read_file(path))
        # As Docker does: what a helper keeps goes before what an earlier login left in the file.
        if helper := (config.get("credHelpers") or {}).get(host) or config.get("credsStore"):
            return _from_helper(f"docker-credential-{helper}", host, environ)
        return _from_file((config.get("auths") or {}).get(host, {}))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, AttributeError, TypeError):
        # Not the content: it may hold a password.
        raise UnreachableError(
            f"Docker's configuration {path} cannot be read. `docker login` writes it anew."
        ) from None


def _from_file(entry: Mapping[str, str]) -> Login | None:
    user, _, password = base64.b64decode(entry.get("auth", "")).decode().partition(":")
    if token := entry.get("identitytoken"):
        return Login(user, token, is_token=True)
    return Login(user, password) if user else None


def _from_helper(command: str, host: str, environ: Mapping[str, str]) -> Login | None:
    try:
        done = subprocess.run(
            [command, "get"],
            input=host,
            env=dict(environ),
            capture_output=True,
            text=True,
            timeout=HELPER_SECONDS,
            check=False,
        )
        if done.returncode:  # it has no login for this registry; some need none
            return None
        document = parse_json(done.stdout)
        user, secret = str(document["Username"]), str(document["Secret"])
        return Login(user, secret, is_token=user == "<token>")
    except (OSError, ValueError, LookupError, TypeError, subprocess.TimeoutExpired):
        raise UnreachableError(f"{command}, which Docker's configuration names for {host}, does not work.") from None
