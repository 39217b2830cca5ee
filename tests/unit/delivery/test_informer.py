"""A namespace is kept current through everything that a watch can come across, against a server of this test."""

import threading
from collections.abc import Iterator

import pytest

from deploytag.delivery.diagnosis import informer
from deploytag.delivery.diagnosis.generations import Snapshot
from deploytag.delivery.diagnosis.informer import PODS, RELEASES, Informer, look
from tests.unit.delivery.api_server import ApiServer, api_server, change, error, raw_pod

PATIENCE = 20


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    monkeypatch.setattr(informer, "PAUSE", 0.05)
    with api_server() as it:
        yield it


def names(snapshot: Snapshot) -> dict[str, str]:
    return {pod.name: pod.status.phase for pod in snapshot.pods}


def await_pods(snapshots: Iterator[Snapshot], wanted: dict[str, str]) -> None:
    for _, snapshot in zip(range(PATIENCE * 10), snapshots, strict=False):
        if names(snapshot) == wanted:
            return
    pytest.fail(f"{wanted} was never seen")


def asked(server: ApiServer) -> dict[str, str]:
    return server.asked.get(timeout=PATIENCE)


def test_changes_are_followed_from_where_the_listing_ended(server: ApiServer) -> None:
    server.items, server.version = [raw_pod("a", 3)], 7
    with Informer(server.cluster, "ns", [PODS]) as it:
        snapshots = it.snapshots(0.1)
        await_pods(snapshots, {"a": "Running"})
        assert "watch" not in asked(server)
        assert asked(server)["resourceVersion"] == "7"
        server.said.put(change("ADDED", raw_pod("b", 8, "Pending")))
        server.said.put(change("MODIFIED", raw_pod("b", 9)))
        await_pods(snapshots, {"a": "Running", "b": "Running"})
        server.said.put(change("DELETED", raw_pod("a", 10)))
        await_pods(snapshots, {"b": "Running"})
        server.said.put({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "42"}}})
        server.said.put(None)
        # The server ends each watch after a while: the next goes on where it was, without listing anew.
        assert asked(server)["resourceVersion"] == "42"


def test_each_change_is_seen_though_the_next_has_come_already(server: ApiServer) -> None:
    with Informer(server.cluster, "ns", [PODS]) as it:
        snapshots = it.snapshots(0.1)
        await_pods(snapshots, {})
        for kind, phase in (("ADDED", "Pending"), ("MODIFIED", "Failed"), ("DELETED", "Failed")):
            server.said.put(change(kind, raw_pod("a", 5, phase)))
        for wanted in ({"a": "Pending"}, {"a": "Failed"}, {}):
            await_pods(snapshots, wanted)


@pytest.mark.parametrize("code", [410, 504])
def test_after_an_error_of_the_watch_it_is_listed_anew(server: ApiServer, code: int) -> None:
    with Informer(server.cluster, "ns", [PODS]) as it:
        snapshots = it.snapshots(0.1)
        await_pods(snapshots, {})
        server.items, server.version = [raw_pod("late", 20)], 21
        server.said.put(error(code))
        await_pods(snapshots, {"late": "Running"})
        server.said.put(None)


def test_a_server_that_is_away_or_refuses_is_asked_again(server: ApiServer) -> None:
    server.status = 403
    server.items = [raw_pod("a", 1)]
    with Informer(server.cluster, "ns", [PODS]) as it:
        snapshots = it.snapshots(0.1)
        assert names(next(snapshots)) == {}
        assert "403" in it.complaints["pods"]
        server.status = 200
        await_pods(snapshots, {"a": "Running"})
        assert it.complaints == {}


def test_an_object_that_is_not_understood_does_not_hide_the_others(server: ApiServer) -> None:
    server.items = [{"metadata": {"name": 3}}, raw_pod("a", 1), {}]
    with Informer(server.cluster, "ns", [PODS]) as it:
        await_pods(it.snapshots(0.1), {"a": "Running"})


def test_closing_ends_the_snapshots_and_every_thread(server: ApiServer) -> None:
    before = set(threading.enumerate())
    with Informer(server.cluster, "quiet", [PODS, RELEASES]) as it:
        snapshots = it.snapshots(60)
        next(snapshots)
        # Both watches are open, and the server says nothing.
        while "watch" not in asked(server):
            pass
        while "watch" not in asked(server):
            pass
        threading.Timer(0.2, it.close).start()
        assert list(snapshots) == []
    for thread in set(threading.enumerate()) - before:
        if thread.name.startswith("watch-quiet"):
            thread.join(PATIENCE)
            assert not thread.is_alive()


def test_helms_secrets_are_asked_for_without_their_content(server: ApiServer) -> None:
    with Informer(server.cluster, "ns", [RELEASES]):
        for kind in ("PartialObjectMetadataList", "PartialObjectMetadata"):
            assert asked(server)["labelSelector"] == "owner=helm"
            assert f"as={kind};" in server.accepted.get(timeout=PATIENCE)


def test_a_look_says_what_could_not_be_listed(server: ApiServer) -> None:
    server.status = 403
    snapshot, _, complaints = look(server.cluster, "ns", [PODS])
    assert snapshot == Snapshot()
    assert complaints == {"pods": "403 Forbidden"}
