"""These tests stop and start the one sandbox of this machine: nothing else may use it meanwhile. Its data stays."""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest


def sandbox(
    *words: str, check: bool = True, variables: Mapping[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `python -m sandbox`."""
    done = subprocess.run(
        [sys.executable, "-m", "sandbox", *words],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | dict(variables or {}),
        timeout=300,
        cwd=cwd,
    )
    assert done.returncode == 0 or not check, done.stderr
    return done


def status() -> dict[str, Any]:
    """The table of `status`."""
    found: dict[str, Any] = json.loads(sandbox("status", "--json", check=False).stdout)
    return found


def kubectl(*words: str, text: str | None = None) -> str:
    """Run kubectl; what it says."""
    done = subprocess.run(["kubectl", *words], input=text, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def running() -> Iterator[None]:
    """The sandbox runs, and runs again afterwards."""
    sandbox("up")
    yield
    sandbox("up")


@pytest.fixture
def namespace(running: None) -> Iterator[str]:
    """A namespace of this test's own."""
    name = f"lifecycle-{uuid.uuid4().hex[:8]}"
    kubectl("create", "namespace", name)
    yield name
    sandbox("up")
    kubectl("delete", "namespace", name, "--wait=false")
