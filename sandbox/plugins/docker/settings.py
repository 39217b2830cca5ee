"""Where registries are and who logs in: the provider's settings, a Docker configuration file, a mirror of docker.io."""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sandbox.plugins.docker.image_name import DOCKER_HUB
from sandbox.plugins.provider import InvalidInputError, Properties, config_value, reveal

# `host` and `context` choose a Docker daemon, and this plugin needs none; the SDK fills `host` from DOCKER_HOST.
SUPPORTED = frozenset({"registryAuth", "disableDockerDaemonCheck", "host", "context"})
MIRROR_VARIABLE = "DEPLOYTAG_DOCKER_MIRROR"
"""Address of a registry that serves the images of docker.io, as the sandbox's does."""

_AUTH_KEYS = frozenset({"address", "authDisabled", "configFile", "configFileContent", "username", "password"})
_HUB_ADDRESS = "https://registry-1.docker.io"
_HUB_LOGIN = "https://index.docker.io/v1/"


@dataclass(frozen=True)
class Endpoint:
    """A registry's address with its scheme, and how to log in there."""

    address: str
    username: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True)
class Settings:
    """The registries that are configured, by host name."""

    endpoints: dict[str, Endpoint]
    mirror: str | None
    docker_config: Path

    @classmethod
    def read(cls, config: Properties, environment: Mapping[str, str]) -> "Settings":
        """Combine settings and environment."""
        docker_config = _config_file(Path(environment.get("DOCKER_CONFIG") or Path.home() / ".docker"))
        auths = config_value(reveal(config), "registryAuth") or []
        if not isinstance(auths, list):
            raise InvalidInputError("`docker:registryAuth` must be a list, as in [{address: registry.test}].")
        endpoints = [_endpoint(auth, environment, docker_config) for auth in auths]
        return cls(
            {urlsplit(endpoint.address).netloc: endpoint for endpoint in endpoints},
            environment.get(MIRROR_VARIABLE),
            docker_config,
        )

    def endpoint(self, registry: str) -> Endpoint:
        """How to reach a registry: by HTTPS unless the settings say `http://`, as with the official plugin."""
        if registry in self.endpoints:
            return self.endpoints[registry]
        if registry == DOCKER_HUB:
            if self.mirror:
                return Endpoint(self.mirror.rstrip("/"))
            return _login(_HUB_ADDRESS, _HUB_LOGIN, self.docker_config)
        return _login(f"https://{registry}", registry, self.docker_config)


def _endpoint(auth: Any, environment: Mapping[str, str], docker_config: Path) -> Endpoint:
    if not isinstance(auth, dict) or not isinstance(auth.get("address"), str):
        raise InvalidInputError("Each entry of `docker:registryAuth` needs an `address`.")
    # The Python SDK sends the keys of a plain dictionary as they are, and those of its own class in camel case.
    auth = {re.sub(r"_([a-z])", lambda match: match[1].upper(), key): value for key, value in auth.items()}
    unknown = auth.keys() - _AUTH_KEYS
    if unknown:
        raise InvalidInputError(f"An entry of `docker:registryAuth` has no {', '.join(sorted(unknown))}.")
    address = auth["address"] if "://" in auth["address"] else f"https://{auth['address']}"
    address = address.rstrip("/")
    registry = urlsplit(address).netloc
    if auth.get("authDisabled"):
        return Endpoint(address)
    if auth.get("configFileContent"):
        return Endpoint(address, *_credentials(auth["configFileContent"], registry))
    if auth.get("configFile"):
        return _login(address, registry, _config_file(Path(auth["configFile"]).expanduser()))
    username = auth.get("username") or environment.get("DOCKER_REGISTRY_USER", "")
    if username:
        return Endpoint(address, username, auth.get("password") or environment.get("DOCKER_REGISTRY_PASS", ""))
    return _login(address, registry, docker_config)


def _config_file(path: Path) -> Path:
    return path / "config.json" if path.is_dir() else path


def _login(address: str, registry: str, file: Path) -> Endpoint:
    """A registry with the login that a configuration file has for it, if there is one."""
    try:
        content = file.read_text()
    except (FileNotFoundError, NotADirectoryError):
        return Endpoint(address)
    return Endpoint(address, *_credentials(content, registry))


def _credentials(content: str, registry: str) -> tuple[str, str]:
    try:
        auths = json.loads(content).get("auths", {})
        login = auths.get(registry) or auths.get(f"https://{registry}") or {}
        if login.get("auth"):
            username, _, password = base64.b64decode(login["auth"], validate=True).decode().partition(":")
            return username, password
    except (ValueError, AttributeError, binascii.Error):
        raise InvalidInputError(f"The Docker configuration with the login for {registry} is not readable.") from None
    return str(login.get("username", "")), str(login.get("password", ""))
