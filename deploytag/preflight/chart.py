"""Renders the chart once, so that one that cannot be installed or served is known before anything is made."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from deploytag.credentials import stripped
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
    # The C loader where PyYAML has it: a chart may be long.
    documents = yaml.load_all(manifest, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    try:
        complaint = unserved(release, documents)
    except yaml.YAMLError as error:
        raise ContentError(f"the chart does not render to YAML, nothing was touched: {error}") from None
    if complaint:
        raise ContentError(complaint)


def unserved(release: str, documents: Iterable[Any]) -> str | None:
    """Why the rendered objects would give no URL; None when they do. Pure."""
    services = {
        document["metadata"]["name"]: document.get("spec") or {}
        for document in documents
        if isinstance(document, dict) and document.get("kind") == "Service"
    }
    needed = (
        f"a Service named like the release ({release}) of type LoadBalancer, whose address is the environment's URL"
    )
    if release not in services:
        found = ", ".join(sorted(services)) or "none"
        return f"the chart must have {needed}; its Services are: {found}. Nothing was touched."
    if (kind := services[release].get("type", "ClusterIP")) != "LoadBalancer":
        return f"the chart must have {needed}; its Service of that name is of type {kind}. Nothing was touched."
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
            text=True,
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
