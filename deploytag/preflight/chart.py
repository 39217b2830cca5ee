"""Renders the chart once, so that one that cannot be rendered is known before anything is made."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploytag.errors import ContentError


def render(chart: Path, release: str, namespace: str, values: Mapping[str, Any]) -> None:
    """Render the staged chart with `values`, which also checks them against its `values.schema.json`.

    Without the helm command nothing is checked here: the provider brings its own Helm and will say it later.

    Raises:
        ContentError: Helm's own message, on what.
    """
    helm = shutil.which("helm")
    if helm is None:
        return
    done = subprocess.run(
        [helm, "template", release, str(chart), "--namespace", namespace, "--values", "-"],
        input=json.dumps(values),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode:
        raise ContentError(
            f"the chart does not render, nothing was touched: {done.stderr.strip().removeprefix('Error: ')}"
        )
