import sys
from types import SimpleNamespace
from typing import Any

import pytest
import urllib3
from kubernetes import client

from sandbox import loadbalancer
from sandbox.loadbalancer import Controller, wants_address


def service(name: str, address: str = "", **spec: Any) -> Any:
    return SimpleNamespace(
        metadata=SimpleNamespace(uid=f"uid-{name}", namespace="shop", name=name, deletion_timestamp=None),
        spec=SimpleNamespace(**{"type": "LoadBalancer", "load_balancer_class": None, "load_balancer_ip": None, **spec}),
        status=SimpleNamespace(
            load_balancer=SimpleNamespace(ingress=[SimpleNamespace(ip=address)] if address else None)
        ),
    )


class Api:
    """Remembers what was written."""

    def __init__(self) -> None:
        self.written: list[tuple[str, str]] = []
        self.events: list[str] = []

    def patch_namespaced_service_status(self, name: str, namespace: str, body: Any) -> None:
        self.written.append((f"{namespace}/{name}", body["status"]["loadBalancer"]["ingress"][0]["ip"]))

    def create_namespaced_event(self, namespace: str, event: Any) -> None:
        self.events.append(event.message)


def controller(api: Api, *services: Any, pool: int = 3) -> Controller:
    made = Controller(api, [f"10.0.0.{number}" for number in range(1, pool + 1)])
    made._services = {one.metadata.uid: one for one in services}
    return made


def test_a_service_that_appears_before_the_watch_shows_our_own_write_gets_another_address() -> None:
    api = Api()
    balancer = controller(api, service("late"))
    balancer.settle()
    balancer._services["uid-early"] = service("early")  # sorted first, and "late" still looks as if it had none
    balancer.settle()
    assert dict(api.written) == {"shop/late": "10.0.0.1", "shop/early": "10.0.0.2"}


def test_a_refusal_is_told_once() -> None:
    api = Api()
    balancer = controller(api, service("one", "10.0.0.1"), service("two"), pool=1)
    balancer.settle()
    balancer.settle()
    assert api.events == ["No address for this Service: all 1 addresses from 10.0.0.1 to 10.0.0.1 are taken."]


def test_other_services_are_left_alone() -> None:
    assert wants_address(service("one"))
    assert not wants_address(service("two", type="ClusterIP"))
    assert not wants_address(service("three", load_balancer_class="somebody.example/else"))
    going = service("four")
    going.metadata.deletion_timestamp = "now"
    assert not wants_address(going)


@pytest.mark.parametrize(("status", "tries"), [(410, 2), (403, 1)])
def test_only_a_watch_that_is_too_old_is_taken_up_at_once(
    monkeypatch: pytest.MonkeyPatch, status: int, tries: int
) -> None:
    answers = [client.ApiException(status=status), urllib3.exceptions.HTTPError("gone")]

    def follow(_: Controller) -> None:
        raise answers.pop(0)

    monkeypatch.setattr(Controller, "follow", follow)
    monkeypatch.setattr(loadbalancer, "load_kube_config", lambda _: None)
    monkeypatch.setattr(sys, "argv", ["loadbalancer", "kubeconfig", "10.0.0.1", "10.0.0.2"])
    # Supervisord starts it again, with a pause.
    loadbalancer.main()
    assert len(answers) == 2 - tries
