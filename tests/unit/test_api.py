"""The API in JSON: what a deletion asks for, and which of its answers are none to complain of."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client.exceptions import ApiException

from deploytag.api import JOBS, NAMESPACES, document
from deploytag.preflight.cluster import connect
from tests.unit.delivery.api_server import ApiServer, api_server


@pytest.fixture(scope="module")
def server() -> Iterator[ApiServer]:
    with api_server() as it:
        yield it


@pytest.mark.parametrize(
    ("given", "options"),
    [
        ({}, {}),
        ({"uid": "u"}, {"preconditions": {"uid": "u"}}),
        ({"uid": "u", "version": "7"}, {"preconditions": {"uid": "u", "resourceVersion": "7"}}),
        ({"foreground": True}, {"propagationPolicy": "Foreground"}),
    ],
)
def test_a_deletion_says_what_it_may_delete(server: ApiServer, given: dict[str, Any], options: dict[str, Any]) -> None:
    assert (_refused(server, 200, given), server.deletions.get_nowait()) == (None, options)


@pytest.mark.parametrize(
    ("given", "status", "refused"),
    [
        ({}, 404, None),
        ({"uid": "u", "version": "7"}, 404, None),
        # another one has its place; or who would delete it has to look again
        ({"uid": "u"}, 409, None),
        ({"uid": "u", "version": "7"}, 409, 409),
        ({}, 409, 409),
        ({"uid": "u"}, 403, 403),
        ({"uid": "u"}, 500, 500),
    ],
)
def test_what_is_gone_already_is_no_error(
    server: ApiServer, given: dict[str, Any], status: int, refused: int | None
) -> None:
    assert _refused(server, status, given) == refused
    server.deletions.get_nowait()


def test_many_questions_at_once_are_nothing_to_warn_of(
    server: ApiServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    named = {"name": "it", "cluster": {"server": f"http://127.0.0.1:{server.port}"}}
    context = {"name": "it", "context": {"cluster": "it", "user": "it"}}
    users = [{"name": "it", "user": {}}]
    config = {"current-context": "it", "clusters": [named], "contexts": [context], "users": users}
    (tmp_path / "config").write_text(json.dumps(config))
    api, _ = connect(str(tmp_path / "config"))
    server.status = 200
    for answer in [api.open(NAMESPACES.path(), timeout=5) for _ in range(20)]:
        document(answer)
    assert caplog.messages == []


def _refused(server: ApiServer, status: int, given: dict[str, Any]) -> int | None:
    """The status that a deletion raises when the server answers this one."""
    server.status = status
    try:
        server.cluster.api.delete(JOBS, "migrate", "shop", timeout=5, **given)
    except ApiException as error:
        return int(error.status)
    return None
