"""Which cluster: the kubeconfig in force, for the Python client and for the helm binary alike."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from kubernetes import config as kube_config
from kubernetes.config.config_exception import ConfigException
from kubernetes.config.kube_config import KUBE_CONFIG_DEFAULT_LOCATION, KubeConfigMerger
from kubernetes.dynamic import DynamicClient

from sandbox.plugins.kubernetes.settings import Settings
from sandbox.plugins.provider import UnreachableError


@dataclass(frozen=True)
class Connection:
    """A client for the API server and the arguments that lead helm to the same one."""

    client: Any
    """A `kubernetes.dynamic.DynamicClient` without discovery: only its requests are used."""
    host: str
    namespace: str
    """Where namespaced objects go that name no namespace."""
    helm_arguments: tuple[str, ...]


def connect(settings: Settings) -> Connection:
    """Return the connection that `settings` describe; nothing is sent yet."""
    try:
        document, path = _load(settings)
        context = _active_context(document, settings)
        client = kube_config.new_client_from_config_dict(  # type: ignore[no-untyped-call]
            document, context["name"], persist_config=False
        )
    except (ConfigException, OSError, KeyError, TypeError, ValueError) as error:
        raise UnreachableError(
            f"configured Kubernetes cluster is unreachable: unable to load Kubernetes client configuration from "
            f"{_where(settings)}: {error}. Set KUBECONFIG or the setting `kubernetes:kubeconfig`."
        ) from error
    # The caller decides what to try again; urllib3's own retries only multiply the time until an error.
    client.configuration.retries = False
    client.configuration.connection_pool_maxsize = 32
    client = type(client)(client.configuration)
    helm = ["--kube-context", context["name"]]
    if path is None:
        helm += ["--kubeconfig", _write(document)]
    elif settings.kubeconfig:
        helm += ["--kubeconfig", path]
    return Connection(
        client=DynamicClient(client, discoverer=lambda *_: None),  # type: ignore[no-untyped-call]
        host=client.configuration.host,
        namespace=settings.namespace or context["context"].get("namespace") or "default",
        helm_arguments=tuple(helm),
    )


def _where(settings: Settings) -> str:
    if settings.kubeconfig:
        inline = "\n" in settings.kubeconfig or settings.kubeconfig.lstrip().startswith("{")
        return "the setting `kubernetes:kubeconfig`" if inline else settings.kubeconfig
    return os.environ.get("KUBECONFIG") or "~/.kube/config"


def _load(settings: Settings) -> tuple[dict[str, Any], str | None]:
    """Return the kubeconfig and the path helm can read it from (None: it needs a file of its own)."""
    source = settings.kubeconfig
    candidate = Path(source).expanduser() if source and "\n" not in source and len(source) < 1024 else None
    if source and (candidate is None or not candidate.exists()):
        document = yaml.safe_load(source)
        if not isinstance(document, dict):
            raise ValueError("it is neither a file nor the contents of a kubeconfig")
        return document, None
    path = str(candidate) if candidate else os.environ.get("KUBECONFIG") or KUBE_CONFIG_DEFAULT_LOCATION
    merged = KubeConfigMerger(path).config  # type: ignore[no-untyped-call]
    if merged is None:
        raise FileNotFoundError(f"there is no file {path}")
    document = _absolute(merged)
    return document, None if settings.cluster else path


def _absolute(merged: Any) -> dict[str, Any]:
    """Return a merged kubeconfig as a dictionary, with paths that do not depend on where it came from."""
    document: dict[str, Any] = dict(merged.value)
    for section in ("clusters", "contexts", "users"):
        entries = []
        for node in document[section]:
            base = Path(node.path).resolve().parent
            entry = dict(node.value)
            inner = dict(entry[section[:-1]] or {})
            for key in ("certificate-authority", "client-certificate", "client-key", "tokenFile"):
                if inner.get(key):
                    inner[key] = str(base / inner[key])
            entries.append({**entry, section[:-1]: inner})
        document[section] = entries
    return document


def _active_context(document: dict[str, Any], settings: Settings) -> dict[str, Any]:
    name = settings.context or document.get("current-context")
    for context in document.get("contexts") or []:
        if context["name"] == name:
            if settings.cluster:
                context["context"]["cluster"] = settings.cluster
            found: dict[str, Any] = context
            return found
    raise ValueError(f'it has no context "{name}"')


def _write(document: dict[str, Any]) -> str:
    """Write a kubeconfig for helm that only we can read; it goes with the plugin's temporary directory."""
    descriptor, path = tempfile.mkstemp(prefix="kubeconfig-")
    with os.fdopen(descriptor, "w") as file:
        yaml.safe_dump(document, file)
    return path
