"""The API in JSON: what a deletion asks for, and which of its answers are none to complain of."""

from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes.client.exceptions import ApiException

from deploytag.api import JOBS
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


def _refused(server: ApiServer, status: int, given: dict[str, Any]) -> int | None:
    """The status that a deletion raises when the server answers this one."""
    server.status = status
    try:
        server.cluster.api.delete(JOBS, "migrate", "shop", timeout=5, **given)
    except ApiException as error:
        return int(error.status)
    return None
