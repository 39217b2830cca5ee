"""The branch's own namespace, with its guardrails."""

from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs
from pulumi_kubernetes.networking.v1 import NetworkPolicy

from deploytag.contract import SERVICE_ACCOUNT
from deploytag.identity import Identity
from deploytag.ownership import ALLOWS, annotations, labels
from deploytag.program.network import DatabaseServer, policies
from deploytag.settings import Isolation, Limits


@dataclass(frozen=True, slots=True)
class NamespaceArgs:
    """Whose namespace, the most it may take, what its pods may reach, and whether it is never to be deleted."""

    identity: Identity
    limits: Limits
    isolation: Isolation
    database: DatabaseServer | None
    protected: bool = False


class Namespace(pulumi.ComponentResource):
    """A namespace of this branch alone, and what must stand in it before a chart's first hook runs.

    Hooks run before the chart's own resources, hence the service account, quota and policies are made here.
    """

    namespace: core.Namespace
    name: pulumi.Output[str]
    guardrails: list[pulumi.Resource]

    def __init__(self, name: str, args: NamespaceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("deploytag:index:Namespace", name, None, opts)
        identity = args.identity
        self._identity = identity
        self.namespace = core.Namespace(
            name,
            metadata=ObjectMetaArgs(
                name=identity.namespace,
                labels={**labels(identity), **_pod_security(args.isolation.pod_security)},
                annotations=annotations(identity),
            ),
            opts=pulumi.ResourceOptions(
                parent=self, protect=args.protected, custom_timeouts=pulumi.CustomTimeouts(delete="5m")
            ),
        )
        self.guardrails = [
            self._service_account(name),
            self._quota(name, args.limits),
            self._container_defaults(name),
            *self._network_policies(name, args),
        ]
        self.name = self.namespace.metadata.name
        self.register_outputs({"name": self.name})

    def _inside(self) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self, depends_on=[self.namespace])

    def _metadata(self, name: str, annotations: dict[str, str] | None = None) -> ObjectMetaArgs:
        identity = self._identity
        return ObjectMetaArgs(name=name, namespace=identity.namespace, labels=labels(identity), annotations=annotations)

    def _service_account(self, name: str) -> pulumi.Resource:
        return core.ServiceAccount(
            f"{name}-service-account",
            metadata=self._metadata(SERVICE_ACCOUNT),
            automount_service_account_token=False,
            opts=self._inside(),
        )

    def _quota(self, name: str, limits: Limits) -> pulumi.Resource:
        return core.ResourceQuota(
            f"{name}-quota",
            metadata=self._metadata("environment"),
            spec=core.ResourceQuotaSpecArgs(
                hard={
                    "limits.cpu": limits.cpu,
                    "limits.memory": limits.memory,
                    "pods": str(limits.pods),
                    "services.loadbalancers": str(limits.load_balancers),
                }
            ),
            opts=self._inside(),
        )

    def _container_defaults(self, name: str) -> pulumi.Resource:
        # A quota on limits refuses every pod that names none; these are what such a pod gets.
        return core.LimitRange(
            f"{name}-defaults",
            metadata=self._metadata("environment"),
            spec=core.LimitRangeSpecArgs(
                limits=[
                    core.LimitRangeItemArgs(
                        type="Container",
                        default={"cpu": "250m", "memory": "128Mi"},
                        default_request={"cpu": "10m", "memory": "64Mi"},
                    )
                ]
            ),
            opts=self._inside(),
        )

    def _network_policies(self, name: str, args: NamespaceArgs) -> list[pulumi.Resource]:
        return [
            NetworkPolicy(
                f"{name}-{policy.name}",
                metadata=self._metadata(policy.name, {ALLOWS: policy.allows}),
                spec=policy.spec,
                opts=self._inside(),
            )
            for policy in policies(args.isolation, args.database)
        ]


def _pod_security(level: str) -> dict[str, str]:
    return {f"pod-security.kubernetes.io/{mode}": level for mode in ("enforce", "warn")}
