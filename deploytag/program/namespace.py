"""The branch's own namespace, with its guardrails."""

from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs
from pulumi_kubernetes.networking import v1 as networking

from deploytag.contract import SERVICE_ACCOUNT
from deploytag.identity import Identity
from deploytag.ownership import annotations, labels
from deploytag.settings import Limits

PUBLIC_LABEL = "deploytag.dev/public"
"""Pods with this label set to `true` may be reached from outside their namespace."""


@dataclass(frozen=True, slots=True)
class NamespaceArgs:
    """Whose namespace, the most it may take, and whether it is never to be deleted."""

    identity: Identity
    limits: Limits
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
                labels={**labels(identity), **_pod_security("restricted")},
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
            *self._network_policies(name),
        ]
        self.name = self.namespace.metadata.name
        self.register_outputs({"name": self.name})

    def _inside(self) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self, depends_on=[self.namespace])

    def _metadata(self, name: str) -> ObjectMetaArgs:
        identity = self._identity
        return ObjectMetaArgs(name=name, namespace=identity.namespace, labels=labels(identity))

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

    def _network_policies(self, name: str) -> list[pulumi.Resource]:
        """Pods are reached from their own namespace only, but for those with the public label."""
        everything, anywhere = LabelSelectorArgs(), networking.NetworkPolicyIngressRuleArgs()
        same_namespace = networking.NetworkPolicyIngressRuleArgs(
            from_=[networking.NetworkPolicyPeerArgs(pod_selector=everything)]
        )
        public = LabelSelectorArgs(match_labels={PUBLIC_LABEL: "true"})
        return [
            networking.NetworkPolicy(
                f"{name}-{policy}",
                metadata=self._metadata(policy),
                spec=networking.NetworkPolicySpecArgs(pod_selector=pods, policy_types=["Ingress"], ingress=[source]),
                opts=self._inside(),
            )
            for policy, pods, source in (("inside", everything, same_namespace), ("public", public, anywhere))
        ]


def _pod_security(level: str) -> dict[str, str]:
    return {f"pod-security.kubernetes.io/{mode}": level for mode in ("enforce", "warn")}
