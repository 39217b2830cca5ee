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
from deploytag.preflight.bounds import out_of_bounds
from deploytag.preflight.doors import wrong_door
from deploytag.settings import Isolation

TIMEOUT = 30
"""Seconds for Helm: a chart is rendered in one, but the machine may be busy."""


def check(chart: Path, release: str, namespace: str, values: Mapping[str, Any], isolation: Isolation) -> None:
    """Render the staged chart with `values`, which also checks them against its `values.schema.json`.

    Raises:
        ContentError: Helm's own message, what the chart lacks, or what of it reaches beyond the environment.
        UnreachableError: there is no helm command.
    """
    manifest = _render(chart, release, namespace, values)
    try:
        documents = list(parse_all_yaml(manifest))
    except DocumentError as error:
        raise ContentError(f"the chart does not render to YAML, nothing was touched: {error}") from None
    if complaint := out_of_bounds(namespace, documents, isolation) or wrong_door(
        release, documents, values.get("access")
    ):
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
            # With what is in `crds`: Helm installs that first, whatever it is.
            [helm, "template", release, str(chart), "--namespace", namespace, "--values", "-", "--include-crds"],
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
