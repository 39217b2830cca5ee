"""Gives Services of type LoadBalancer their addresses, as a cloud would: watches them and writes their status.

kube-proxy forwards every address in a Service's status, whether or not an interface carries it, and the host routes
the whole subnet into the sandbox: nothing else is needed. There is no state beside the cluster's own, so restarting
this changes nothing, and deleting a Service frees its address.
"""

import logging
import sys
from datetime import UTC, datetime
from ipaddress import IPv4Address
from typing import Any

import urllib3
from kubernetes import client
from kubernetes.config import load_kube_config
from kubernetes.watch import Watch

from sandbox.allocation import Wish, allocate

COMPONENT = "sandbox-loadbalancer"
log = logging.getLogger(COMPONENT)


def main() -> None:
    """Run until stopped: KUBECONFIG FIRST LAST."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    kubeconfig, first, last = sys.argv[1:]
    pool = [str(IPv4Address(number)) for number in range(int(IPv4Address(first)), int(IPv4Address(last)) + 1)]
    load_kube_config(kubeconfig)  # type: ignore[no-untyped-call]
    controller = Controller(client.CoreV1Api(), pool)
    while True:
        try:
            controller.follow()
        except client.ApiException as error:
            # 410: what we last saw is too old to continue from.
            if error.status == 410:
                continue
            log.warning("the API server said: %s %s", error.status, error.reason)
            return  # supervisord starts this again, with a pause
        except (urllib3.exceptions.HTTPError, OSError) as error:
            log.warning("the API server does not answer: %s", error)
            return


class Controller:
    """The Services of the cluster, and the addresses for them."""

    def __init__(self, api: Any, pool: list[str]) -> None:
        """Nothing is known yet."""
        self._api = api
        self._pool = pool
        self._services: dict[str, Any] = {}
        # What we wrote, by uid, until the watch shows it: events may still tell of the time before.
        self._written: dict[str, str] = {}
        self._refused: dict[Wish, str] = {}

    def follow(self) -> None:
        """Look at all Services, then at every change, until the API server ends the watch."""
        listed = self._api.list_service_for_all_namespaces()
        self._services = {service.metadata.uid: service for service in listed.items}
        self.settle()
        version = listed.metadata.resource_version
        # The watch ends by itself now and then, and is taken up where it ended.
        for event in Watch().stream(  # type: ignore[no-untyped-call]
            self._api.list_service_for_all_namespaces, resource_version=version, allow_watch_bookmarks=True
        ):
            service = event["object"]
            if event["type"] == "DELETED":
                self._services.pop(service.metadata.uid, None)
                self._written.pop(service.metadata.uid, None)
            elif event["type"] in ("ADDED", "MODIFIED"):
                self._services[service.metadata.uid] = service
            self.settle()

    def settle(self) -> None:
        """Give every Service that wants an address one."""
        wishes = {
            wish(service, self._written.get(uid, "")): uid
            for uid, service in self._services.items()
            if wants_address(service)
        }
        decided = allocate(wishes, self._pool)
        for chosen, address in decided.given.items():
            self._written[wishes[chosen]] = address
            log.info("%s/%s gets %s", chosen.namespace, chosen.name, address)
            body = {"status": {"loadBalancer": {"ingress": [{"ip": address, "ipMode": "VIP"}]}}}
            try:
                self._api.patch_namespaced_service_status(chosen.name, chosen.namespace, body)
            except client.ApiException as error:
                # It was deleted meanwhile; the watch will say so.
                if error.status != 404:
                    raise
        for refused, reason in decided.refused.items():
            if self._refused.get(refused) != reason:
                self._complain(refused, reason)
        self._refused = decided.refused

    def _complain(self, refused: Wish, reason: str) -> None:
        log.warning("%s/%s gets no address: %s", refused.namespace, refused.name, reason)
        now = datetime.now(UTC)
        self._api.create_namespaced_event(
            refused.namespace,
            client.CoreV1Event(
                metadata=client.V1ObjectMeta(generate_name=f"{refused.name}."),
                involved_object=client.V1ObjectReference(
                    api_version="v1", kind="Service", namespace=refused.namespace, name=refused.name
                ),
                reason="NoAddress",
                message=f"No address for this Service: {reason}.",
                type="Warning",
                source=client.V1EventSource(component=COMPONENT),
                first_timestamp=now,
                last_timestamp=now,
                count=1,
            ),
        )


def wants_address(service: Any) -> bool:
    """Whether it is ours to serve."""
    return (
        service.spec.type == "LoadBalancer"
        and not service.spec.load_balancer_class
        and not service.metadata.deletion_timestamp
    )


def wish(service: Any, written: str = "") -> Wish:
    """What a Service has, or has had `written` to it, and asks for."""
    balancer = service.status.load_balancer if service.status else None
    ingress = (balancer.ingress if balancer else None) or []
    return Wish(
        namespace=service.metadata.namespace,
        name=service.metadata.name,
        has=(ingress[0].ip or "") if ingress else written,
        asks=service.spec.load_balancer_ip or "",
    )


if __name__ == "__main__":
    main()
