"""Renders the chart once, so that one that cannot be installed or served is known before anything is made."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploytag.credentials import stripped
from deploytag.documents import DocumentError, parse_all_yaml
from deploytag.errors import ContentError, UnreachableError
from deploytag.preflight.doors import wrong_door

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
        complaint = wrong_door(release, parse_all_yaml(manifest), values.get("access"))
    except DocumentError as error:
        raise ContentError(f"the chart does not render to YAML, nothing was touched: {error}") from None
    if complaint:
        raise ContentError(complaint)


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
