"""Which failures of `pulumi up` are tried once more, and that a run is watched until its address is verified."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from deploytag.delivery.converge import converge, lost_a_push, watched
from deploytag.delivery.diagnosis import watch
from deploytag.delivery.diagnosis.informer import PODS
from deploytag.delivery.diagnosis.verify import answers
from deploytag.delivery.engine import EngineResult
from deploytag.delivery.hold import Held
from deploytag.delivery.processes.cancellation import Cancellation
from deploytag.delivery.run import Action, Run
from deploytag.errors import DeploymentError, InterruptedRunError
from deploytag.identity import identify
from deploytag.settings import Verify
from tests.unit.delivery.api_server import ApiServer, api_server, change, raw_pod

RACE = """failed to solve: failed to push registry.test/shop/app:866f: errors:
unknown: provided digest did not match uploaded content
unknown: blob unknown to registry - sha256:70c1"""


@pytest.mark.parametrize(
    ("complaint", "again"),
    [
        (RACE, True),
        ("failed to solve: failed to push registry.test/shop/app:866f: 403 Forbidden", False),
        ('failed to solve: process "/bin/sh -c make" did not complete successfully: exit code: 2', False),
        ("the role exists", False),
        ("", False),
    ],
)
def test_only_a_lost_push_is_tried_again(complaint: str, again: bool) -> None:
    assert lost_a_push(complaint) is again


URL = "http://127.0.0.1:9"
UP = EngineResult(0, {"url": URL})
DOWN = EngineResult(255, errors=("the release failed",))
PATIENCE = 20


@dataclass
class Converging:
    """A run whose engine is the test's; what it watches is an API server's."""

    server: ApiServer
    cancellation: Cancellation = field(default_factory=Cancellation)
    said: list[str] = field(default_factory=list)

    @property
    def held(self) -> Held:
        progress = SimpleNamespace(fail=self.said.append, warn=self.said.append)
        world: Any = SimpleNamespace(cluster=self.server.cluster, progress=progress, administrator=None)
        lease: Any = SimpleNamespace(check=lambda: None)
        run = Run.start(Action.DEPLOY, None)
        children: Any = None
        return Held(world, identify("shop", "feature/test"), run, lease, children, self.cancellation, Path())

    def run(self, up: Callable[[], EngineResult], then: Callable[[Held], object] = lambda _: None) -> EngineResult:
        engine: Any = SimpleNamespace(up=up)
        held = self.held
        with watched(held) as watcher:
            result = converge(held, engine, watcher)
            then(held)
        return result

    def crash(self) -> None:
        """A pod that no Service knows ends again and again."""
        pod = raw_pod("worker-1", 9)
        ended = {"terminated": {"exitCode": 3}}
        crashing = {"waiting": {"reason": "CrashLoopBackOff"}}
        pod["status"]["containerStatuses"] = [
            {"name": "main", "restartCount": 2, "state": crashing, "lastState": ended}
        ]
        self.server.said.put(change("ADDED", pod))

    def await_request(self) -> None:
        """Wait until the run was asked to end."""
        asked = threading.Event()
        with self.cancellation.telling(asked.set):
            assert asked.wait(PATIENCE)


CAUSE = "feature/test was not deployed: Container main of pod worker-1 ends again and again: exit code 3, 2 restarts."


@pytest.fixture
def converging(monkeypatch: pytest.MonkeyPatch) -> Iterator[Converging]:
    monkeypatch.setattr(watch, "KINDS", (PODS,))
    with api_server() as server:
        yield Converging(server)


@pytest.mark.parametrize("result", [UP, DOWN], ids=["up", "down"])
def test_a_cause_that_is_found_as_the_engine_ends_is_what_ends_the_run(
    converging: Converging, result: EngineResult
) -> None:
    def up() -> EngineResult:
        converging.crash()
        converging.await_request()
        return result

    with pytest.raises(DeploymentError, match=CAUSE):
        converging.run(up, Held.go_on)
    assert converging.said[0] in CAUSE
    assert any(line.startswith("| ") for line in converging.said), "the end of its log"


def test_helm_may_see_it_before_the_watcher_does(converging: Converging) -> None:
    def up() -> EngineResult:
        converging.crash()
        return DOWN

    with pytest.raises(DeploymentError, match=CAUSE):
        converging.run(up)


def test_it_is_watched_until_the_address_is_verified(converging: Converging) -> None:
    with api_server() as other:  # which has no pod behind the address, ever

        def verify(held: Held) -> None:
            converging.crash()
            answers(other.cluster, held.identity, URL, "one", Verify(timeout=PATIENCE), known=URL, check=held.go_on)

        with pytest.raises(DeploymentError, match=CAUSE):
            converging.run(lambda: UP, verify)


def test_what_is_not_waited_for_is_ended_by_a_cause_all_the_same(converging: Converging) -> None:
    """As where pods are put to sleep: nothing is verified."""

    def up() -> EngineResult:
        converging.crash()
        converging.await_request()
        return UP

    with pytest.raises(DeploymentError, match=CAUSE):
        converging.run(up)


@pytest.mark.parametrize("result", [UP, DOWN], ids=["up", "down"])
def test_a_signal_is_no_cause(converging: Converging, result: EngineResult) -> None:
    def up() -> EngineResult:
        converging.cancellation.request("SIGTERM")
        return result

    with pytest.raises(InterruptedRunError, match="stopped by SIGTERM"):
        converging.run(up, Held.go_on)
    assert converging.said == []


def test_a_failure_without_a_cause_is_told_in_the_engines_words(
    converging: Converging, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploytag.delivery.converge.AFTERWARDS", 0.0)
    with pytest.raises(DeploymentError, match="was not deployed: the release failed"):
        converging.run(lambda: DOWN)


def test_what_is_well_is_deployed(converging: Converging) -> None:
    converging.server.said.put(change("ADDED", raw_pod("web-1", 9)))
    assert converging.run(lambda: UP, Held.go_on) == UP
    assert not converging.cancellation.requested
