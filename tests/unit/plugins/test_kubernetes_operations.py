"""What the plugin asks of a cluster, and what it says when the cluster refuses."""

from typing import Any, cast

import pytest

from sandbox.plugins.kubernetes.cluster import ApiError, Cluster
from sandbox.plugins.kubernetes.kinds import Kind
from sandbox.plugins.kubernetes.plain import PlainKind
from sandbox.plugins.kubernetes.settings import Settings
from sandbox.plugins.provider import (
    UNKNOWN,
    AlreadyExistsError,
    CheckRequest,
    CreateRequest,
    DeleteRequest,
    InitFailedError,
    ProviderError,
    ReadRequest,
    UnreachableError,
    UpdateRequest,
)
from tests.unit.plugins.fake_cluster import UNKNOWN_GROUP, FakeCluster

MAP: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "m", "namespace": "n"},
    "data": {"a": "1"},
}
PATH = "/api/v1/namespaces/n/configmaps/m"
LIVE: dict[str, Any] = {**MAP, "metadata": {**MAP["metadata"], "uid": "u", "resourceVersion": "1"}}


def _plain(cluster: FakeCluster, kind: str = "ConfigMap", group: str = "") -> PlainKind:
    return PlainKind(Kind(group, "v1", kind), cast("Cluster", cluster))


def _create(cluster: FakeCluster, inputs: dict[str, Any], preview: bool = False, kind: str = "ConfigMap") -> Any:
    return _plain(cluster, kind).create(CreateRequest("urn", "type", "m", inputs, preview))


def _update(cluster: FakeCluster, inputs: dict[str, Any], preview: bool = False) -> Any:
    state = {"__fieldManager": "me"}
    return _plain(cluster).update(UpdateRequest("urn", "type", "m", "n/m", inputs, MAP, state, preview))


def _read(cluster: FakeCluster, inputs: dict[str, Any]) -> Any:
    return _plain(cluster).read(ReadRequest("urn", "type", "m", "n/m", inputs, {}))


def _delete(cluster: FakeCluster, inputs: dict[str, Any]) -> None:
    _plain(cluster).delete(DeleteRequest("urn", "type", "m", "n/m", inputs, {}, 5))


def test_check_fills_in_kind_name_and_namespace() -> None:
    checked = _plain(FakeCluster()).check(CheckRequest("urn", "type", "m", {"data": {}}, {}, b"seed")).inputs
    assert (checked["apiVersion"], checked["kind"]) == ("v1", "ConfigMap")
    assert checked["metadata"]["namespace"] == "default"
    assert checked["metadata"]["name"].startswith("m-")
    namespace = _plain(FakeCluster(), "Namespace").check(CheckRequest("urn", "type", "m", {}, {}, b"seed")).inputs
    assert "namespace" not in namespace["metadata"]


def test_check_works_without_a_cluster() -> None:
    down = FakeCluster(down="no answer")
    assert _plain(down).check(CheckRequest("urn", "type", "m", {}, {})).inputs["metadata"]["namespace"] == "default"
    assert "namespace" not in _plain(down, "Namespace").check(CheckRequest("urn", "t", "m", {}, {})).inputs["metadata"]


def test_create_is_a_create_and_never_takes_over() -> None:
    cluster = FakeCluster()
    state = _create(cluster, MAP)
    assert state.id == "n/m"
    assert state.outputs["__inputs"] == MAP
    assert cluster.requests == [("create", PATH)]
    with pytest.raises(AlreadyExistsError, match=r'resource "urn" was not successfully created .* already exists'):
        _create(cluster, MAP)


def test_a_preview_asks_the_server_and_writes_nothing() -> None:
    cluster = FakeCluster()
    previewed = _create(cluster, MAP, preview=True)
    assert cluster.requests == [("dry create", PATH)]
    assert cluster.objects == {}
    assert previewed.outputs["data"] == {"a": "1"}
    assert "status" not in previewed.outputs


@pytest.mark.parametrize(
    "cluster",
    [
        FakeCluster(down="no answer"),
        FakeCluster(LIVE),
        FakeCluster(refuses=ApiError("forbidden", 403, "Forbidden")),
    ],
    ids=["unreachable", "exists", "forbidden"],
)
def test_a_preview_that_cannot_ask_says_what_the_program_says(cluster: FakeCluster) -> None:
    assert _create(cluster, MAP, preview=True).outputs == MAP


def test_a_preview_with_unknowns_asks_nobody() -> None:
    cluster = FakeCluster()
    unknown = {**MAP, "data": {"a": UNKNOWN}}
    assert _create(cluster, unknown, preview=True).outputs == unknown
    assert cluster.requests == []


def test_a_preview_finds_what_the_server_refuses() -> None:
    with pytest.raises(ApiError, match="no such field"):
        _create(FakeCluster(refuses=ApiError("no such field", 400, "BadRequest")), MAP, preview=True)


def test_an_unreachable_cluster_is_said_so() -> None:
    down = FakeCluster(down="configured Kubernetes cluster is unreachable: x")
    for call in (
        lambda: _create(down, MAP),
        lambda: _update(down, MAP),
        lambda: _read(down, MAP),
        lambda: _delete(down, MAP),
    ):
        with pytest.raises(UnreachableError, match="configured Kubernetes cluster is unreachable"):
            call()


def test_a_cluster_that_is_gone_can_be_forgotten() -> None:
    down = FakeCluster(down="x")
    down.settings = Settings(delete_unreachable=True)
    assert _read(down, MAP) is None
    _delete(down, MAP)


def test_an_object_that_never_becomes_ready_is_recorded() -> None:
    service = {**MAP, "kind": "Service", "spec": {"type": "LoadBalancer"}}
    with pytest.raises(InitFailedError, match="not allocated an IP address") as caught:
        _create(FakeCluster(), service, kind="Service")
    assert caught.value.resource_id == "n/m"
    assert caught.value.outputs["spec"] == {"type": "LoadBalancer"}


def test_an_update_applies_as_the_recorded_manager() -> None:
    cluster = FakeCluster(LIVE)
    outputs = _update(cluster, {**MAP, "data": {"a": "2"}})
    assert outputs["__fieldManager"] == "me"
    assert cluster.requests == [("apply", PATH)]
    cluster.requests.clear()
    _update(cluster, MAP, preview=True)
    assert cluster.requests == [("dry apply by force", PATH)]


def test_a_conflict_says_what_can_be_done() -> None:
    conflict = ApiError('conflict with "team-operator"', 409, "Conflict")
    with pytest.raises(ProviderError, match="patchForce"):
        _update(FakeCluster(LIVE, refuses=conflict), MAP)


def test_an_update_of_what_is_gone_says_so() -> None:
    with pytest.raises(ProviderError, match="pulumi refresh"):
        _update(FakeCluster(), MAP)


def test_reading() -> None:
    assert _read(FakeCluster(), MAP) is None
    got = _read(FakeCluster(LIVE), {})
    assert (got.id, got.inputs) == ("n/m", MAP)
    unknown = PlainKind(Kind(UNKNOWN_GROUP, "v1", "Thing"), cast("Cluster", FakeCluster()))
    assert unknown.read(ReadRequest("urn", "type", "m", "n/m", MAP, {})) is None


def test_delete_waits_and_says_what_holds_the_object() -> None:
    cluster = FakeCluster(LIVE)
    _delete(cluster, MAP)
    assert cluster.objects == {}
    _delete(cluster, MAP)
    held = {**LIVE, "metadata": {**LIVE["metadata"], "finalizers": ["example.com/hold"]}}
    with pytest.raises(ProviderError, match=r"Timed out after 5 s .* finalizers \[\"example.com/hold\"\]"):
        _delete(FakeCluster(held), MAP)


def test_delete_does_not_wait_when_told_not_to() -> None:
    held = {**LIVE, "metadata": {**LIVE["metadata"], "finalizers": ["example.com/hold"]}}
    _delete(FakeCluster(held), {**MAP, "metadata": {"annotations": {"pulumi.com/skipAwait": "true"}}})
