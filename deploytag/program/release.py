"""The Helm release of the chart in the repository, and the address it got."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.helm import v3 as helm

from deploytag.address import host_of, url_of_host
from deploytag.content import StagedTree
from deploytag.identity import Identity
from deploytag.settings import Access


@dataclass(frozen=True, slots=True)
class ReleaseArgs:
    """Which chart, with which values, and what must stand before its first hook runs."""

    identity: Identity
    chart: StagedTree
    timeout: int
    """Seconds until its pods must be ready and its hooks done."""
    values: Mapping[str, Any]
    needs: Sequence[pulumi.Resource]
    access: Access = field(default_factory=Access)


class Release(pulumi.ComponentResource):
    """A real Helm release: its hooks run, `helm history` knows it.

    `helm.v3.Release` and not `v4.Chart`, which drops hooks (pulumi-kubernetes#3284) and with them the migrations.
    """

    release: helm.Release
    name: pulumi.Output[str]
    url: pulumi.Output[str]

    def __init__(self, name: str, args: ReleaseArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("deploytag:index:Release", name, None, opts)
        identity = args.identity
        self.release = helm.Release(
            name,
            name=identity.release,
            namespace=identity.namespace,
            chart=str(args.chart.path),
            # The provider sees a changed template only through the chart's version (pulumi-kubernetes#2672); the
            # description is a compared input, and `helm history` shows it.
            description=f"chart {args.chart.digest[:12]}",
            values=dict(args.values),
            timeout=args.timeout,
            # Not atomic: after a failure the pods, their events and logs stay to be looked at.
            atomic=False,
            cleanup_on_fail=True,
            max_history=3,
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(args.needs)),
        )
        self.name = self.release.status.name
        self.url = self._url(name, args)
        self.register_outputs({"name": self.name, "url": self.url})

    def _url(self, name: str, args: ReleaseArgs) -> pulumi.Output[str]:
        if ingress := args.access.ingress:
            url = url_of_host(host_of(ingress.host, args.identity), tls=ingress.tls)
            return self.release.status.apply(lambda _: url)
        service = core.Service.get(
            f"{name}-address",
            self.release.status.apply(lambda status: f"{status.namespace}/{status.name}"),
            # Only read: there is nothing of it to protect.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.release], protect=False),
        )
        return pulumi.Output.all(service.status, service.spec).apply(lambda it: url_of(*it))


def url_of(status: Mapping[str, Any], spec: Mapping[str, Any]) -> str:
    """The URL of a LoadBalancer Service, from its first address and first port.

    By item, not by attribute: what `.get()` reads comes without the SDK's output types, as plain dictionaries.
    """
    addresses = (status.get("load_balancer") or {}).get("ingress")
    if not addresses:
        raise pulumi.RunError("the chart's Service has no address: it has to be of type LoadBalancer")
    ingress, port = addresses[0], spec["ports"][0]["port"]
    host = ingress.get("hostname") or ingress["ip"]
    # A load balancer with a certificate of its own.
    return f"https://{host}" if port == 443 else f"http://{host}" + ("" if port == 80 else f":{port}")
