"""The real engine, whose plugins run in process groups of their own, ends as a whole."""

import os
import signal
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from tenacity import retry, retry_if_result, stop_after_delay, wait_fixed

from deploytag.delivery.processes.leftovers import leftovers
from tests.e2e.names import own
from tests.e2e.program.checkout import Checkout
from tests.unit.family import PATIENCE, gone
from tests.unit.wrapper import Wrapper

pytestmark = pytest.mark.e2e


@retry(retry=retry_if_result(lambda plugin: plugin is None), stop=stop_after_delay(PATIENCE), wait=wait_fixed(0.05))
def plugin(wrapper: Wrapper) -> psutil.Process | None:
    """A provider's plugin, once the engine has started one."""
    for process in wrapper.held():
        with suppress(psutil.NoSuchProcess):
            if process.name().startswith("pulumi-resource-"):
                return process
    return None


def preview(place: Checkout, ref: str, state: Path) -> Wrapper:
    """A preview of a new stack, in a state of its own."""
    state.mkdir()
    place.environ["PULUMI_BACKEND_URL"] = state.as_uri()
    stack = ref.replace("/", "-")
    place.must("pulumi", "stack", "select", "--create", stack)
    place.must("pulumi", "config", "set", "branch", ref, "--stack", stack)
    arguments = ("-C", str(place.path), "preview", "--stack", stack, "--non-interactive")
    return Wrapper("held", "pulumi", *arguments, environ=place.environ)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_wrapper_takes_the_engine_and_its_plugins_along(
    repository: Checkout, tmp_path: Path, how: signal.Signals
) -> None:
    wrapper = preview(repository, own(f"feature/held-{how.name.lower()}"), tmp_path / "state")
    try:
        found = plugin(wrapper)
        assert found
        assert os.getpgid(found.pid) != os.getpgid(found.ppid()), "it is not in the engine's group"
        held = wrapper.held()
        wrapper.process.send_signal(how)
        assert gone(*held)
        assert leftovers(wrapper.run.id) == []
        if how is signal.SIGINT:
            assert wrapper.popen.stdout
            *_, last = wrapper.popen.stdout.read().splitlines()
            assert last.endswith("interrupt SIGINT"), "it was asked, and had time to end"
    finally:
        wrapper.close()
