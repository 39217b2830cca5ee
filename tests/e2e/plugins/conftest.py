"""What the plugin tests share: an engine each, and a namespace each."""

import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.plugins.engine import Engine


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """A project of the test's own; what it deployed is destroyed at the end, also after a failure."""
    project = Engine(tmp_path / "project")
    project.create()
    yield project
    project.environment.clear()
    if not project.abandoned and project.resources():
        project.refresh()
        project.destroy()


@pytest.fixture
def unique() -> str:
    """A name that nothing else has."""
    return f"e2e-{uuid.uuid4().hex[:10]}"


@pytest.fixture
def namespace(unique: str, engine: Engine) -> Iterator[str]:
    """A namespace that the test's program does not own; all it makes is in there, and goes with it."""
    kubectl("create", "namespace", unique)
    engine.abandoned = True
    yield unique
    kubectl("delete", "namespace", unique, "--wait=false", "--ignore-not-found")


def kubectl(*arguments: str) -> str:
    """Run kubectl behind the plugin's back."""
    done = subprocess.run(["kubectl", *arguments], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout
