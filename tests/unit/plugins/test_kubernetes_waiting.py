"""Waiting for an object while the connection to the API server comes and goes."""

import json
from collections.abc import Iterator
from typing import Any, cast

import pytest
from urllib3.exceptions import ProtocolError

from sandbox.plugins.kubernetes import cluster as cluster_module
from sandbox.plugins.kubernetes.awaiting import await_ready
from sandbox.plugins.kubernetes.cluster import ApiError, Cluster, Endpoint, TimedOutError
from sandbox.plugins.kubernetes.kinds import Kind
from sandbox.plugins.kubernetes.settings import Settings
from sandbox.plugins.provider import Cancellation, CancelledError, UnreachableError

SERVICES = Endpoint(Kind("", "v1", "Service"), "services", True)
PENDING: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web", "namespace": "n", "resourceVersion": "1"},
    "spec": {"type": "LoadBalancer"},
}
READY: dict[str, Any] = {**PENDING, "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}}


class Stream:
    """The body of a watch: chunks, then an error."""

    def __init__(self, *chunks: bytes, error: Exception | None = None) -> None:
        self.chunks = chunks
        self.error = error

    def stream(self, amt: int | None) -> Iterator[bytes]:
        yield from self.chunks
        if self.error:
            raise self.error

    def close(self) -> None:
        pass


class Answer:
    """The body of any other answer."""

    def __init__(self, obj: dict[str, Any]) -> None:
        self.data = json.dumps(obj).encode()


class Scripted(Cluster):
    """A cluster that gives the scripted answers, then the last one for ever."""

    def __init__(self, *script: Answer | Stream | Exception) -> None:
        super().__init__(Settings(), Cancellation())
        self.script = list(script)

    def _send(self, method: str, path: str, body: Any = None, **parameters: Any) -> Any:
        answer = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_module, "_PAUSE", 0.001)


def _until_ready(cluster: Cluster, timeout: float = 30) -> str:
    return cluster.await_object(
        SERVICES, "n", "web", lambda obj: "ready" if obj and "status" in obj else None, timeout=timeout, what="web"
    )


@pytest.mark.parametrize(
    "interruption",
    [
        Stream(error=ProtocolError("Connection broken")),
        Stream(error=ConnectionResetError()),
        Stream(b"<html>a proxy's own words\n"),
        UnreachableError("no answer"),
        ApiError("etcd leader changed", 500, "InternalError"),
    ],
    ids=["broken", "reset", "no json", "unreachable", "500"],
)
def test_a_watch_that_breaks_is_begun_again(interruption: Stream | Exception) -> None:
    assert _until_ready(Scripted(Answer(PENDING), interruption, Answer(READY))) == "ready"


@pytest.mark.parametrize(
    "error",
    [UnreachableError("no answer"), ApiError("busy", 429, "TooManyRequests"), ApiError("down", 503, "Unavailable")],
    ids=["unreachable", "busy", "unavailable"],
)
def test_an_api_server_that_is_away_for_a_moment_is_waited_for(error: Exception) -> None:
    assert _until_ready(Scripted(error, error, Answer(READY))) == "ready"


def test_an_api_server_that_stays_away_is_the_reason_of_the_timeout() -> None:
    with pytest.raises(TimedOutError, match=r"^Timed out after 0 s waiting for web\. .*does not answer"):
        _until_ready(Scripted(UnreachableError("192.0.2.1 does not answer")), timeout=0.05)


def test_a_refusal_does_not_pass_by_waiting() -> None:
    with pytest.raises(ApiError, match="forbidden"):
        _until_ready(Scripted(ApiError("forbidden", 403, "Forbidden")))


def test_cancelling_ends_the_wait_for_the_api_server() -> None:
    cluster = Scripted(UnreachableError("no answer"))
    cluster.cancellation.cancel()
    with pytest.raises(CancelledError):
        _until_ready(cluster)


@pytest.mark.parametrize(
    "error", [ApiError("forbidden", 403, "Forbidden"), UnreachableError("no answer")], ids=["refused", "unreachable"]
)
def test_an_object_is_not_lost_when_its_readiness_cannot_be_learnt(error: Exception) -> None:
    live, failure = await_ready(cast("Cluster", Scripted(error)), SERVICES, PENDING, 0.05)
    assert live == PENDING
    assert str(error) in failure
