"""What the real Pulumi says of a stack, as recovery reads it where a service has the state."""

import json
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from deploytag.delivery.engine import Engine, write_project
from deploytag.delivery.processes.cancellation import Cancellation
from deploytag.delivery.processes.children import Children
from deploytag.delivery.processes.lines import OUTPUT_LIMIT
from deploytag.errors import UnreachableError

pytestmark = pytest.mark.e2e


class NoLease:
    def engine_started(self, pid: int) -> None:
        """Nobody asks afterwards."""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """On a stack that is not there, of a backend that is empty."""
    environ = {
        **os.environ,
        "PULUMI_BACKEND_URL": f"file://{tmp_path / 'state'}",
        "PULUMI_CONFIG_PASSPHRASE": "of this test",
    }
    (tmp_path / "state").mkdir()
    write_project(tmp_path / "project", "shop")
    with closing(Children(None, environ)) as children:
        yield Engine("feature-x", tmp_path / "project", children, environ, NoLease(), Cancellation(), lambda _: None)


def test_of_no_stack_there_is_no_state_and_nothing_to_remove(engine: Engine) -> None:
    assert engine.state() is None
    assert engine.destroy().ok
    engine.remove_stack()


def test_a_state_is_read_whole_however_large_it_is(engine: Engine, tmp_path: Path) -> None:
    engine.ensure_stack()
    assert engine.state() is not None
    large = {"urn": "urn:pulumi:feature-x::shop::a:b:C::d", "custom": False, "type": "a:b:C"}
    large |= {"outputs": {"text": "x" * 8_000}}
    resources = [{**large, "urn": f"{large['urn']}{n}"} for n in range(OUTPUT_LIMIT // 8_000 + 1)]
    path = tmp_path / "large.json"
    path.write_text(json.dumps({"version": 3, "deployment": {"resources": resources}}))
    engine.children.run(["pulumi", "stack", "import", "--stack", engine.stack, f"--file={path}"], cwd=engine.folder)
    state = engine.state()
    assert state is not None
    assert len(json.dumps(state)) > OUTPUT_LIMIT
    assert len(state["deployment"]["resources"]) == len(resources)


def test_a_backend_that_cannot_be_asked_has_not_said_that_there_is_none(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "state").rmdir()
    with pytest.raises(UnreachableError, match="could not be read"):
        engine.state()
