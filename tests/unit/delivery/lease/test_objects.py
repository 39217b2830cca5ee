"""The requests about leases, over real HTTP: what a watch takes for a change, and what it does not."""

from collections.abc import Iterator
from typing import Any

import pytest

from deploytag.delivery.asking import NoAnswerError
from deploytag.delivery.lease.objects import LeaseObjects
from deploytag.identity import identify
from tests.unit.delivery.api_server import ApiServer, api_server, error

IDENTITY = identify("shop", "feature/test")
BOOKMARK: dict[str, Any] = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "9"}}}
CHANGE: dict[str, Any] = {"type": "MODIFIED", "object": {"metadata": {"name": IDENTITY.namespace}}}


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with api_server() as it:
        yield it


@pytest.mark.parametrize(
    ("said", "changed"), [([CHANGE], True), ([BOOKMARK, CHANGE], True), ([None], False), ([BOOKMARK, None], False)]
)
def test_a_watch_ends_with_the_first_change(server: ApiServer, said: list[Any], changed: bool) -> None:
    for line in said:
        server.said.put(line)
    assert LeaseObjects(server.cluster).await_change(IDENTITY, "7", 30) is changed
    asked = server.asked.get_nowait()
    assert (asked["resourceVersion"], asked["fieldSelector"]) == ("7", f"metadata.name={IDENTITY.namespace}")
    assert asked["timeoutSeconds"] == "30"


def test_a_watch_that_says_nothing_ends_all_the_same(server: ApiServer) -> None:
    assert not LeaseObjects(server.cluster).await_change(IDENTITY, "7", 0.1)


def test_a_watch_that_is_not_possible_is_no_answer(server: ApiServer) -> None:
    server.said.put(error(410))
    with pytest.raises(NoAnswerError, match=r"cannot watch the lease of feature/test now: .*410"):
        LeaseObjects(server.cluster).await_change(IDENTITY, "7", 30)


@pytest.mark.parametrize("lease", [{"metadata": {"name": 5}}, {"metadata": {}, "spec": "x"}])
def test_what_is_no_lease_is_no_answer(server: ApiServer, lease: dict[str, Any]) -> None:
    server.items = [lease]
    with pytest.raises(NoAnswerError, match=r"reading the lease of feature/test failed.*the answer is no Lease"):
        LeaseObjects(server.cluster).look(IDENTITY)
