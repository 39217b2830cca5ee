"""What the templates are filled with: from the options, else from what the repository and the machine already say."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import distribution
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from deploytag import repository
from deploytag.address import AddressError, parse_host_port
from deploytag.delivery.project import PulumiProject
from deploytag.documents import DocumentError, read_file
from deploytag.errors import ContentError, SettingsError, UsageError
from deploytag.identity import PULUMI_FILE, identify
from deploytag.settings import POLICY_FILE, SETTINGS_FILE, ApplicationSettings, Policy
from deploytag.yamlmodel import Complaints, read_model

PLACEHOLDER_SERVER = "https://kubernetes.example.com:6443"
PLACEHOLDER_REGISTRY = "registry.example.com"

BASE_IMAGE = "debian:bookworm-slim"
"""What a new `Dockerfile.base` begins with."""

PORT = 8080


class Pipeline(StrEnum):
    """For which CI a pipeline is written."""

    GITHUB = "github"
    GITLAB = "gitlab"
    SHELL = "shell"
    """`deploytag.sh`, which any CI can call, and what a git server without one runs."""


@dataclass(frozen=True, slots=True)
class Options:
    """What was said on the command line; None: find out."""

    project: str | None = None
    registry: str | None = None
    builder: str | None = None
    chart: str | None = None
    secrets: tuple[str, ...] = ()
    database_key: str | None = None
    pipeline: Pipeline | None = None
    package: str | None = None
    """What pip installs DeployTag from."""


@dataclass(frozen=True, slots=True)
class Target:
    """A Kubernetes API server."""

    server: str
    ca_sha256: str | None


@dataclass(frozen=True, slots=True)
class Answers:
    """Everything that decides what is written."""

    project: str
    registry: str
    builder: str
    target: Target
    secrets: tuple[str, ...]
    database_key: str | None
    pipeline: Pipeline
    package: str | None
    """What pip installs DeployTag from; None: nobody knows."""
    application: ApplicationSettings
    """Of the `deploytag.yaml` that is there; the defaults where there is none."""
    policy: Policy | None
    """Of the `deploytag.policy.yaml` that is there."""
    chart: str
    """The chart's folder."""
    port: int
    """Where the application's image listens, as its Dockerfile says."""
    from_image: str
    """What a new base image begins with."""
    own_dockerfile: bool
    """The application's Dockerfile is there already."""

    @property
    def registry_host(self) -> str:
        """Where docker logs in."""
        return self.registry.partition("/")[0]


def find_out(root: Path, options: Options, target: Target | None) -> Answers:
    """Everything the templates need, for the repository at `root`.

    Raises:
        UsageError, SettingsError, ContentError: an option, or a file that is there, says something impossible.
    """
    url = repository.remote_url(root)
    application = _application(root)
    dockerfile = _text(root / application.images.app.dockerfile)
    return Answers(
        project=_project(root, options.project, url),
        registry=_registry(options.registry),
        builder=options.builder or "",
        target=target or Target(PLACEHOLDER_SERVER, None),
        secrets=options.secrets,
        database_key=options.database_key,
        pipeline=options.pipeline or pipeline_of(url),
        package=options.package or own_requirement(),
        application=application,
        policy=_policy(root),
        chart=_chart(root, options.chart, application),
        port=exposed_port(dockerfile or "") or PORT,
        from_image=first_image(dockerfile or "") or BASE_IMAGE,
        own_dockerfile=dockerfile is not None,
    )


def suggested_project(root: Path) -> str:
    """A name for the project: what `Pulumi.yaml` says, else made of the remote's or the folder's name."""
    return _project(root, None, repository.remote_url(root))


def _project(root: Path, wanted: str | None, url: str | None) -> str:
    present = read_model(root / PULUMI_FILE, PulumiProject) if (root / PULUMI_FILE).is_file() else None
    if isinstance(present, Complaints):
        raise SettingsError("\n  ".join([f"the {PULUMI_FILE} that is there cannot be used:", *present]))
    if present is not None and wanted not in (None, present.name):
        raise UsageError(f"{PULUMI_FILE} is there and names the project {present.name}, not {wanted}.")
    name = wanted if wanted is not None else present.name if present else project_name(url, root.name)
    identify(name, "feature/test")  # refuses what cannot be a project's name
    return name


def project_name(url: str | None, folder: str) -> str:
    """A readable name: letters and digits, so that its environments' names can be read back. Pure."""
    last = re.split(r"[/:]", url.rstrip("/").removesuffix(".git"))[-1] if url else folder
    return re.sub(r"[^a-z0-9]", "", last.lower()).lstrip("0123456789") or "app"


def pipeline_of(url: str | None) -> Pipeline:
    """The CI of the remote's host, where its name tells. Pure."""
    host = _host(url or "")
    if host == "github.com" or host.startswith("github."):
        return Pipeline.GITHUB
    return Pipeline.GITLAB if "gitlab" in host.split(".") else Pipeline.SHELL


def _host(url: str) -> str:
    if "://" in url:
        try:
            return (urlsplit(url).hostname or "").lower()
        except ValueError:  # brackets without an IPv6 address in them
            return ""
    user_and_host, colon, _ = url.partition(":")  # git@github.com:acme/shop.git
    return user_and_host.rpartition("@")[2].lower() if colon and "/" not in user_and_host else ""


def _registry(wanted: str | None) -> str:
    registry = wanted or PLACEHOLDER_REGISTRY
    try:
        parse_host_port(registry.partition("/")[0], 443)
    except AddressError as error:
        raise UsageError(f"--registry cannot be used: {error}. Write HOST[:PORT][/PATH], without https://.") from None
    # It is written into a pipeline's shell: no host has other characters.
    if not re.fullmatch(r"[A-Za-z0-9.:\[\]-]+(/[a-z0-9._/-]*[a-z0-9])?", registry):
        raise UsageError(f"--registry {registry} cannot be used: write HOST[:PORT][/PATH], the path in lower case.")
    return registry


def _application(root: Path) -> ApplicationSettings:
    if not (root / SETTINGS_FILE).exists():
        return ApplicationSettings()
    settings = read_model(root / SETTINGS_FILE, ApplicationSettings)
    if isinstance(settings, Complaints):
        raise SettingsError("\n  ".join([f"the {SETTINGS_FILE} that is there cannot be used:", *settings]))
    return settings


def _policy(root: Path) -> Policy | None:
    if not (root / POLICY_FILE).exists():
        return None
    policy = read_model(root / POLICY_FILE, Policy)
    if isinstance(policy, Complaints):
        raise SettingsError("\n  ".join([f"the {POLICY_FILE} that is there cannot be used:", *policy]))
    return policy


def _chart(root: Path, wanted: str | None, application: ApplicationSettings) -> str:
    """Where the chart is, or will be."""
    if (root / SETTINGS_FILE).exists():
        if wanted not in (None, application.chart.path):
            raise UsageError(f"{SETTINGS_FILE} is there and names the chart {application.chart.path}, not {wanted}.")
        return application.chart.path
    usual = application.chart.path
    if wanted or (root / usual / "Chart.yaml").is_file():
        return (wanted or usual).rstrip("/")
    found = charts_in(root)
    if len(found) > 1:
        raise UsageError(f"there are several charts ({', '.join(found)}): say which is the application's with --chart.")
    return found[0] if found else usual


def charts_in(root: Path) -> list[str]:
    """Folders of charts, at most three deep, that are no part of another chart or of what was downloaded."""
    folders = sorted(
        path.parent.relative_to(root)
        for depth in ("*", "*/*", "*/*/*")
        for path in root.glob(f"{depth}/Chart.yaml")
        if not {"node_modules", "vendor"} & set(path.parts) and not path.relative_to(root).parts[0].startswith(".")
    )
    return [str(folder) for folder in folders if not any(parent in folders for parent in folder.parents)]


def exposed_port(dockerfile: str) -> int | None:
    """The port that a Dockerfile exposes; None when it says none or one that needs root. Pure."""
    ports = [int(port) for port in re.findall(r"^[ \t]*EXPOSE[ \t]+([0-9]{1,5})\b", dockerfile, re.M | re.I)]
    return ports[-1] if ports and 1024 <= ports[-1] <= 65535 else None


def first_image(dockerfile: str) -> str | None:
    """The image that a Dockerfile is built on, where it is said without a variable. Pure."""
    found = re.search(r"^[ \t]*FROM[ \t]+(?:--\S+[ \t]+)*([^\s-]\S*)", dockerfile, re.M | re.I)
    return found[1] if found and "$" not in found[1] else None


def own_requirement() -> str | None:
    """What pip installs this very DeployTag from: the git commit that it came from, or its version on the index.

    None: it came from a folder or a file of this machine.
    """
    me = distribution("deploytag")
    return requirement(me.version, json.loads(me.read_text("direct_url.json") or "{}"))


def requirement(version: str, origin: Mapping[str, Any]) -> str | None:
    """`origin` is what pip and uv note of where a package came from (PEP 610), nothing for an index. Pure."""
    if not origin:
        return f"deploytag=={version}"
    commit = origin.get("vcs_info", {}).get("commit_id")
    if not commit:
        return None  # of that name on an index might be anybody's
    parts = urlsplit(origin["url"])
    # A token in the URL must not get into a repository; over ssh the user is no secret, and part of the address.
    user, at, host = parts.netloc.rpartition("@")
    kept = user.partition(":")[0] + at if parts.scheme == "ssh" else ""
    url = urlunsplit(parts._replace(netloc=kept + host))
    return f"deploytag @ git+{url}@{commit}"


def _text(path: Path) -> str | None:
    try:
        return read_file(path).decode(errors="replace")
    except FileNotFoundError:
        return None
    except (OSError, DocumentError) as error:
        raise ContentError(f"{path} cannot be read: {error}.") from None
