"""Whether images can be pushed: an upload is begun and taken back, so nothing is left in the registry."""

from __future__ import annotations

import base64
import binascii
import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx

from deploytag.delivery.doctor.findings import Finding, ok, problem
from deploytag.delivery.project import PulumiProject
from deploytag.errors import SettingsError, UnreachableError

TIMEOUT = 5
"""Seconds for one answer."""

_DOCKER_HUB = "https://index.docker.io/v1/"
"""The name under which docker keeps the credentials of docker.io."""


@dataclass(frozen=True, slots=True)
class Login:
    """A user and a password, or an identity token in its place."""

    user: str
    password: str

    def __repr__(self) -> str:
        """Without the password: whatever is shown may end in a log."""
        return f"Login({self.user!r})"


@dataclass(frozen=True, slots=True)
class Repository:
    """One repository of a registry."""

    host: str
    """Where the API is."""
    login_name: str
    """Under which name docker keeps the credentials."""
    path: str

    @classmethod
    def of(cls, name: str) -> Repository:
        """`registry.example.com/shop/base`."""
        host, _, path = name.partition("/")
        if host in ("docker.io", "index.docker.io"):
            return cls("registry-1.docker.io", _DOCKER_HUB, path)
        return cls(host, host, path)


def pushes(project: PulumiProject, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Whether both images of the project can be pushed.

    Raises:
        SettingsError: no registry is configured.
        UnreachableError: it does not answer.
    """
    registry = project.default("registry")
    if registry is None:
        raise SettingsError("Pulumi.yaml gives the config `registry` no default, so where images go is not known.")
    with httpx.Client(timeout=TIMEOUT, follow_redirects=False) as http:
        for image in ("base", "app"):
            yield _pushes(http, f"{registry}/{project.name}/{image}", environ)


def _pushes(http: httpx.Client, name: str, environ: Mapping[str, str]) -> Finding:
    repository = Repository.of(name)
    root = _api(http, repository.host)
    uploads = f"{root}/{repository.path}/blobs/uploads/"
    answer = http.post(uploads)
    headers = {}
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        login = credentials(repository.login_name, environ)
        if login is not None and root.startswith("http://"):
            return problem(f"{name}: the registry asks for a password without TLS", "Give the registry a certificate.")
        headers = _authorization(http, answer.headers.get("WWW-Authenticate", ""), repository, login)
        answer = http.post(uploads, headers=headers)
    if answer.status_code == httpx.codes.ACCEPTED:
        if location := answer.headers.get("Location"):
            # Not every registry can take it back (405); it forgets an upload that stays empty.
            http.delete(urljoin(uploads, location), headers=headers)
        return ok(f"{name} can be pushed")
    return _refused(name, answer)


def _refused(name: str, answer: httpx.Response) -> Finding:
    match answer.status_code:
        case httpx.codes.UNAUTHORIZED:
            return problem(f"{name}: nobody is logged in, or not any more", f"`docker login {name.partition('/')[0]}`")
        case httpx.codes.FORBIDDEN:
            return problem(f"{name}: pushing is forbidden", "Let this login push there.")
        case httpx.codes.NOT_FOUND:
            return problem(
                f"{name}: there is no such repository", "Make it: some registries (ECR) do not by themselves."
            )
    return problem(f"{name}: the registry answers {answer.status_code} {answer.reason_phrase}")


def _api(http: httpx.Client, host: str) -> str:
    """The API's root: by HTTPS, or as a registry without certificate has it."""
    try:
        http.get(f"https://{host}/v2/")
    except httpx.TransportError as error:
        try:
            # Only a registry: something else at that port may answer anything.
            plain = http.get(f"http://{host}/v2/")
        except httpx.TransportError:
            plain = None
        if plain is None or "docker-distribution-api-version" not in plain.headers:
            raise UnreachableError(
                f"the registry {host} does not answer: {error}. The address is the stack's config `registry`."
            ) from None
        return f"http://{host}/v2"
    return f"https://{host}/v2"


def _authorization(http: httpx.Client, challenge: str, repository: Repository, login: Login | None) -> dict[str, str]:
    """The header that answers the registry's challenge; none where it cannot be answered."""
    scheme, _, rest = challenge.partition(" ")
    if scheme.lower() == "basic":
        return {"Authorization": _basic(login)} if login else {}
    parameters = dict(re.findall(r'(\w+)="([^"]*)"', rest))
    realm = parameters.get("realm", "")
    if scheme.lower() != "bearer" or not realm.startswith("https://"):
        return {}
    answer = http.get(
        realm,
        params={"service": parameters.get("service", ""), "scope": f"repository:{repository.path}:pull,push"},
        headers={"Authorization": _basic(login)} if login else {},
    )
    if answer.status_code != httpx.codes.OK:
        return {}
    token = answer.json().get("token") or answer.json().get("access_token")
    return {"Authorization": f"Bearer {token}"}


def _basic(login: Login) -> str:
    return "Basic " + base64.b64encode(f"{login.user}:{login.password}".encode()).decode()


def credentials(registry: str, environ: Mapping[str, str]) -> Login | None:
    """What `docker login` keeps for the registry, in its file or with a helper; None: nothing.

    Raises:
        UnreachableError: the file or the helper's answer cannot be read.
    """
    home = environ.get("DOCKER_CONFIG") or Path(environ.get("HOME", "~")).expanduser() / ".docker"
    path = Path(home) / "config.json"
    try:
        config: dict[str, Any] = json.loads(path.read_text())
        helper = config.get("credHelpers", {}).get(registry) or config.get("credsStore")
        entry = config.get("auths", {}).get(registry, {})
        if auth := entry.get("auth"):
            user, _, password = base64.b64decode(auth, validate=True).decode().partition(":")
            return Login(user, password)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, AttributeError, binascii.Error):
        raise UnreachableError(f"{path} cannot be read as docker's configuration; log in anew.") from None
    return _ask_helper(helper, registry, environ) if helper else None


def _ask_helper(helper: str, registry: str, environ: Mapping[str, str]) -> Login | None:
    command = shutil.which(f"docker-credential-{helper}", path=environ.get("PATH"))
    if command is None:
        raise UnreachableError(f"docker's configuration names docker-credential-{helper}, which is not on PATH.")
    try:
        done = subprocess.run(
            [command, "get"],
            input=registry,
            env=dict(environ),
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        answer = json.loads(done.stdout) if done.returncode == 0 else None
    # Without its output: it may hold the password.
    except (subprocess.TimeoutExpired, ValueError):
        raise UnreachableError(f"{command} did not give the credentials of {registry}.") from None
    return Login(answer["Username"], answer["Secret"]) if answer else None
