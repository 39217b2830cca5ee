"""What a look at an environment makes of a namespace in which it is allowed less and less."""

import pytest
from kubernetes.client import ApiClient, Configuration
from kubernetes.client.exceptions import ApiException

from deploytag.api import Api, Object, Resource, Timeout
from deploytag.delivery.cluster import Cluster
from deploytag.delivery.recovery.look import _unless_locked_out
from deploytag.identity import identify

IT = identify("shop", "feature/a")


class Server(Api):
    """It has the namespace's RoleBinding, or not."""

    def __init__(self, binding: Object | None) -> None:
        super().__init__(ApiClient(Configuration(host="https://cluster.test:6443")))
        self.binding = binding

    def find(self, resource: Resource, name: str, namespace: str | None = None, *, timeout: Timeout) -> Object | None:
        """GET, or None."""
        return self.binding


def refused(status: int) -> list[str]:
    raise ApiException(status)


def test_who_has_no_role_binding_any_more_sees_nothing() -> None:
    # A repair deletes it, and the API server goes on allowing what it allowed for a moment: Secrets, then no more.
    assert _unless_locked_out(Cluster(Server(None)), IT, lambda: refused(403)) is None


@pytest.mark.parametrize(("status", "binding"), [(403, {}), (500, None)])
def test_every_other_refusal_is_one(status: int, binding: Object | None) -> None:
    with pytest.raises(ApiException):
        _unless_locked_out(Cluster(Server(binding)), IT, lambda: refused(status))


def test_what_is_seen_is_what_is_there() -> None:
    assert _unless_locked_out(Cluster(Server(None)), IT, lambda: ["a"]) == ["a"]
