"""A sandbox that begins with nothing, in a directory of its own, and `reset`."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.sandbox.conftest import sandbox
from tests.e2e.sandbox.machine import Machine

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("running")]


# Places that the sandbox replaces by private ones for itself, all but its own directory.
@pytest.fixture(params=["/tmp", "/run"])
def directory(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A directory below such a place."""
    parent = Path(tempfile.mkdtemp(prefix="fresh-", dir=request.param))
    sandbox("down")
    yield parent / "sandbox"
    sandbox("down", variables={"DEPLOYTAG_SANDBOX": str(parent / "sandbox")})
    shutil.rmtree(parent)


@pytest.mark.sampled(1)
def test_a_fresh_sandbox_works_and_reset_leaves_nothing(directory: Path) -> None:
    variables = {"DEPLOYTAG_SANDBOX": str(directory), "DEPLOYTAG_PLUGINS": "offline"}
    before = Machine.now()
    sandbox("up", variables=variables)
    administrator = 'export KUBECONFIG="$SANDBOX_ADMIN_KUBECONFIG"'
    run = "kubectl run once --image redis:7 --restart=Never -- redis-cli -v"
    script = f"{sandbox('env', variables=variables).stdout}\n{administrator}\n{run}"
    wait = "kubectl wait pod/once --for=jsonpath='{.status.phase}'=Succeeded --timeout=60s && kubectl logs once"
    said = subprocess.run(["/bin/sh", "-ec", f"{script}\n{wait}"], capture_output=True, text=True, check=False)
    assert "redis-cli 7" in said.stdout, said.stderr
    sandbox("reset", variables=variables)
    assert not directory.exists()
    assert before.changes(Machine.now()) == {}
