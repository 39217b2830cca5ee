"""Renders the chart once, so that one that cannot be installed or served is known before anything is made."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from deploytag.credentials import stripped
from deploytag.documents import DocumentError, parse_all_yaml
from deploytag.errors import ContentError, UnreachableError

TIMEOUT = 30
"""Seconds for Helm: a chart is rendered in one, but the machine may be busy."""


def check(chart: Path, release: str, namespace: str, values: Mapping[str, Any]) -> None:
    """Render the staged chart with `values`, which also checks them against its `values.schema.json`.

    Raises:
        ContentError: Helm's own message, or what the chart lacks.
        UnreachableError: there is no helm command.
    """
    manifest = _render(chart, release, namespace, values)
    try:
        complaint = unserved(release, parse_all_yaml(manifest))
    except DocumentError as error:
        raise ContentError(f"the chart does not render to YAML, nothing was touched: {error}") from None
    if complaint:
        raise ContentError(complaint)


def unserved(release: str, documents: Iterable[Any]) -> str | None:
    """Why the rendered objects would give no URL; None when they do. Pure."""
    services = dict(filter(None, map(_service, documents)))
    needed = (
        f"a Service named like the release ({release}) of type LoadBalancer, whose address is the environment's URL"
    )
    if release not in services:
        found = ", ".join(sorted(services)) or "none"
        return f"the chart must have {needed}; its Services are: {found}. Nothing was touched."
    if (kind := services[release]) != "LoadBalancer":
        return f"the chart must have {needed}; its Service of that name is of type {kind}. Nothing was touched."
    return None


def _service(document: Any) -> tuple[str, str] | None:
    """Name and type of a Service; None for what is none. What it lacks the API server will say better."""
    match document:
        case {"kind": "Service", "metadata": {"name": str(name)}, "spec": {"type": kind}}:
            return name, str(kind)
        case {"kind": "Service", "metadata": {"name": str(name)}}:
            return name, "ClusterIP"
    return None


def _render(chart: Path, release: str, namespace: str, values: Mapping[str, Any]) -> str:
    helm = shutil.which("helm")
    if helm is None:
        raise UnreachableError(
            "there is no helm command on PATH, which renders the chart before anything is touched. Install Helm 3 "
            '(https://helm.sh/docs/intro/install/); in the sandbox, `eval "$(make -s env)"` puts it on PATH.'
        )
    try:
        done = subprocess.run(
            [helm, "template", release, str(chart), "--namespace", namespace, "--values", "-"],
            input=json.dumps(values),
            capture_output=True,
            encoding="utf-8",
            errors="replace",  # a template may print a file that is no text
            # It renders what a branch brings, and needs nobody's credentials for that.
            env=stripped(os.environ),
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ContentError(
            f"the chart was not rendered within {TIMEOUT} s, nothing was touched. Try `helm template {chart}`."
        ) from None
    if done.returncode:
        raise ContentError(
            f"the chart does not render, nothing was touched: {done.stderr.strip().removeprefix('Error: ')}"
        )
    return done.stdout
