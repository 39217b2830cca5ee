"""Which services a run needs and where they are, from the environment. Pure but for reading the configuration files."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from deploytag.address import AddressError, HostPort, parse_host_port
from deploytag.administrator import Administrator
from deploytag.docker_folders import buildx_folder
from deploytag.documents import parse_json, read_file
from deploytag.errors import SettingsError, UnreachableError
from deploytag.preflight.proxies import proxy_of


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One service: who it is, where it is, and what decides that."""

    service: str
    address: HostPort | PurePosixPath
    """A path is that of a unix socket."""
    configured_by: str


def aws_endpoint(environ: Mapping[str, str]) -> Endpoint | None:
    """Secrets Manager's endpoint; None where only the SDK's own chain (profile, metadata) knows the region.

    Raises:
        SettingsError: the environment names an address that is none.
    """
    for variable in ("AWS_ENDPOINT_URL_SECRETS_MANAGER", "AWS_ENDPOINT_URL"):
        if url := environ.get(variable):
            try:
                endpoint = Endpoint("AWS Secrets Manager", HostPort.of_url(url), f"{variable}={url}")
            except AddressError as error:
                raise SettingsError(f"{variable} cannot be used ({url}): {error}. Correct it or unset it.") from None
            return through_proxy(endpoint, urlsplit(url).scheme, environ)
    for variable in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        if region := environ.get(variable):
            domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
            address = HostPort(f"secretsmanager.{region}.{domain}", 443)
            return through_proxy(Endpoint("AWS Secrets Manager", address, f"{variable}={region}"), "https", environ)
    return None


def registry_endpoint(registry: str, environ: Mapping[str, str]) -> Endpoint:
    """The registry; without a port it is HTTPS's.

    Raises:
        SettingsError: the configuration names an address that is none.
    """
    try:
        address = parse_host_port(registry if "://" in registry else registry.split("/", 1)[0], 443)
    except AddressError as error:
        raise SettingsError(
            f"the stack's config `registry` cannot be used ({registry}): {error}. "
            "Correct it: `pulumi config set registry HOST[:PORT]`."
        ) from None
    return through_proxy(
        Endpoint("the image registry", address, f"the stack's config `registry` ({registry})"), "https", environ
    )


def database_endpoint(administrator: Administrator) -> Endpoint:
    """The database server."""
    host, port = administrator.host, administrator.port
    # As libpq takes it: an absolute path is the directory of the server's socket.
    address = PurePosixPath(host) / f".s.PGSQL.{port}" if host.startswith("/") else HostPort(host, port)
    return Endpoint("PostgreSQL", address, "PGHOST and PGPORT")


def builder_endpoint(builder: str | None, environ: Mapping[str, str]) -> Endpoint | None:
    """BuildKit's address when the builder is a `remote` one; other drivers start their own and are asked by buildx.

    Raises:
        UnreachableError: there is no builder of that name.
    """
    if builder is None:
        return None
    instance = buildx_folder(environ) / "instances" / builder
    configured_by = f"the builder `{builder}` (stack config `builder`) in {instance}"
    try:
        driver, endpoint = _driver_and_endpoint(parse_json(read_file(instance)))
        address = _builder_address(endpoint) if driver == "remote" else None
    except FileNotFoundError:
        raise UnreachableError(
            f"there is no builder {builder} (looked for {instance}): make one with "
            f"`docker buildx create --name {builder} --driver remote ADDRESS`, or set the stack's config `builder`."
        ) from None
    except AddressError as error:
        raise UnreachableError(f"{configured_by} has no usable address: {error}; make it anew.") from None
    except (OSError, ValueError):
        raise UnreachableError(f"{configured_by} cannot be read as a buildx builder; make it anew.") from None
    return Endpoint("BuildKit", address, configured_by) if address else None


def kubeconfig_path(environ: Mapping[str, str]) -> str:
    """The kubeconfig files, as kubectl reads KUBECONFIG."""
    return environ.get("KUBECONFIG") or os.path.join("~", ".kube", "config")  # noqa: PTH118 - a list of paths, as text


def _driver_and_endpoint(instance: Any) -> tuple[str, str]:
    """What buildx wrote of a builder's first node; ValueError when it is not of that form."""
    match instance:
        case {"Driver": str(driver), "Nodes": [{"Endpoint": str(endpoint)}, *_]}:
            return driver, endpoint
    raise ValueError("no buildx builder")


def _builder_address(url: str) -> HostPort | PurePosixPath | None:
    """Where a remote BuildKit listens; None where buildx goes by a command (`docker-container://`, `ssh://`, …)."""
    scheme, _, rest = url.partition("://")
    if scheme == "unix":
        return PurePosixPath(rest)
    return parse_host_port(rest) if scheme == "tcp" else None


def through_proxy(endpoint: Endpoint, scheme: str, environ: Mapping[str, str]) -> Endpoint:
    """The proxy in the service's place where the environment sends it through one: nothing else can be reached."""
    if not isinstance(endpoint.address, HostPort) or not (proxy := proxy_of(endpoint.address, scheme, environ)):
        return endpoint
    return Endpoint(
        f"the proxy to {endpoint.service} ({endpoint.address})",
        proxy.address,
        f"{proxy.variable}; NO_PROXY={endpoint.address.host} goes without it",
    )
