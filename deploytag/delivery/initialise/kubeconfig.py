"""Which cluster the kubeconfig means: only read, so that no command is run that it names for its credentials."""

from __future__ import annotations

import base64
import hashlib
import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kubernetes.config import ConfigException
from kubernetes.config.kube_config import KubeConfigMerger
from yaml import YAMLError

from deploytag.delivery.initialise.answers import Target
from deploytag.preflight.endpoints import kubeconfig_path


def current_cluster(environ: Mapping[str, str]) -> Target | None:
    """The current context's API server and its CA; None where there is no kubeconfig, or it names none."""
    try:
        config = KubeConfigMerger(kubeconfig_path(environ)).config  # type: ignore[no-untyped-call]
        if config is None:
            return None
        context = config["contexts"].get_with_name(config["current-context"])["context"]
        node = config["clusters"].get_with_name(context["cluster"])["cluster"]
        cluster: dict[str, Any] = node.value
        server = cluster.get("server")
        if not isinstance(server, str) or not re.fullmatch(r"https?://\S+", server):
            return None
        return Target(server.rstrip("/"), _fingerprint(_authority(cluster, Path(node.path or ".").parent)))
    # A file that people write, of which init only wants a default: `deploytag doctor` says what is wrong with it.
    except (ConfigException, YAMLError, OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None


def _authority(cluster: Mapping[str, Any], folder: Path) -> str:
    if data := cluster.get("certificate-authority-data"):
        return base64.b64decode(data).decode("latin-1")
    if name := cluster.get("certificate-authority"):
        return Path(folder, str(name)).read_text("latin-1")
    return ""


def _fingerprint(pem: str) -> str | None:
    """SHA-256 of the one certificate; None where there is none or several: the server's URL names the cluster then."""
    blocks = re.findall(rf"{ssl.PEM_HEADER}.+?{ssl.PEM_FOOTER}", pem, re.DOTALL)
    if len(blocks) != 1:
        return None
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(blocks[0])).hexdigest()
