"""Which services a run needs and where they are, from the environment. Pure but for reading the configuration files."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from deploytag.errors import UnreachableError


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One service: who it is, where it is, and what decides that."""

    service: str
    address: str
    """`host:port`, or `unix:/path`."""
    configured_by: str


def aws_endpoint(environ: Mapping[str, str]) -> Endpoint | None:
    """Secrets Manager's endpoint; None where only the SDK's own chain (profile, metadata) knows the region."""
    for variable in ("AWS_ENDPOINT_URL_SECRETS_MANAGER", "AWS_ENDPOINT_URL"):
        if url := environ.get(variable):
            return Endpoint("AWS Secrets Manager", host_and_port(url), f"{variable}={url}")
    for variable in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        if region := environ.get(variable):
            return Endpoint("AWS Secrets Manager", f"secretsmanager.{region}.amazonaws.com:443", f"{variable}={region}")
    return None


def registry_endpoint(registry: str) -> Endpoint:
    """The registry; without a port it is HTTPS's."""
    host = registry.split("/", 1)[0]
    address = host if ":" in host else f"{host}:443"
    return Endpoint("the image registry", address, f"the stack's config `registry` ({registry})")


def database_endpoint(environ: Mapping[str, str]) -> Endpoint:
    """The database server, as libpq's variables name it."""
    host, port = environ.get("PGHOST", "localhost"), environ.get("PGPORT", "5432")
    return Endpoint("PostgreSQL", f"{host}:{port}", "PGHOST and PGPORT")


def builder_endpoint(builder: str | None, environ: Mapping[str, str]) -> Endpoint | None:
    """BuildKit's address when the builder is a `remote` one; other drivers start their own and are asked by buildx.

    Raises:
        UnreachableError: there is no builder of that name.
    """
    if builder is None:
        return None
    home = Path(environ.get("DOCKER_CONFIG") or Path(environ.get("HOME", "~")).expanduser() / ".docker")
    config = Path(environ.get("BUILDX_CONFIG") or home / "buildx")
    configured_by = f"the builder `{builder}` (stack config `builder`) in {config / 'instances' / builder}"
    try:
        instance = json.loads((config / "instances" / builder).read_text())
        driver, address = instance["Driver"], instance["Nodes"][0]["Endpoint"]
    except FileNotFoundError:
        raise UnreachableError(
            f"there is no builder {builder} (looked for {config / 'instances' / builder}): make one with "
            f"`docker buildx create --name {builder} --driver remote ADDRESS`, or set the stack's config `builder`."
        ) from None
    except (ValueError, LookupError):
        raise UnreachableError(f"{configured_by} cannot be read as a buildx builder; make it anew.") from None
    if driver != "remote":
        return None
    parts = urlsplit(address)
    where = f"unix:{parts.path}" if parts.scheme == "unix" else parts.netloc
    return Endpoint("BuildKit", where, configured_by)


def host_and_port(url: str) -> str:
    """`host:port` of a URL, with its scheme's own port where it names none."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"


def kubeconfig_path(environ: Mapping[str, str]) -> str:
    """The kubeconfig files, as kubectl reads KUBECONFIG."""
    return environ.get("KUBECONFIG") or os.path.join("~", ".kube", "config")  # noqa: PTH118 - a list of paths, as text
