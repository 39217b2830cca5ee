"""The branch's own namespace, with its guardrails."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

import pulumi
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs
from pulumi_kubernetes.networking.v1 import NetworkPolicy
from pulumi_kubernetes.rbac import v1 as rbac

from deploytag.contract import SERVICE_ACCOUNT
from deploytag.identity import Identity
from deploytag.ownership import ALLOWS, annotations, labels
from deploytag.preflight.rights import await_effective
from deploytag.program.network import DatabaseServer, policies
from deploytag.rights import Subject, role_binding
from deploytag.settings import Access, ContainerDefaults, Expose, Isolation, Limits

_INGRESSES = "count/ingresses.networking.k8s.io"
_COUNTED = ("secrets", "configmaps", "jobs.batch", "cronjobs.batch")
"""Small objects of which a chart can make very many: the API server keeps all of them."""


@dataclass(frozen=True, slots=True)
class NamespaceArgs:
    """Whose namespace, the most it may take, what its pods may reach, and whether it is never to be deleted."""

    identity: Identity
    limits: Limits
    isolation: Isolation
    database: DatabaseServer | None
    protected: bool = False
    deployers: Sequence[Subject] | None = None
    """Whom to give the rights for what is done in it; None: they have them anyway."""
    access: Access = field(default_factory=Access)


class Namespace(pulumi.ComponentResource):
    """A namespace of this branch alone, and what must stand in it before a chart's first hook runs.

    Hooks run before the chart's own resources, hence the service account, quota and policies are made here.
    """

    namespace: core.Namespace
    name: pulumi.Output[str]
    guardrails: list[pulumi.Resource]
    usable: pulumi.Input[list[pulumi.Input[pulumi.Resource]]]
    """What everything in the namespace depends on."""

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
        self.usable = self._rights(name, args.deployers)
        self.guardrails = [
            self._service_account(name),
            defaults := self._container_defaults(name, args.limits.container),
            self._quota(name, args.limits, args.access, defaults),
            *self._network_policies(name, args),
        ]
        self.name = self.namespace.metadata.name
        self.register_outputs({"name": self.name})

    def _inside(self) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self, depends_on=self.usable)

    def _metadata(self, name: str, annotations: dict[str, str] | None = None) -> ObjectMetaArgs:
        identity = self._identity
        return ObjectMetaArgs(name=name, namespace=identity.namespace, labels=labels(identity), annotations=annotations)

    def _rights(
        self, name: str, deployers: Sequence[Subject] | None
    ) -> pulumi.Input[list[pulumi.Input[pulumi.Resource]]]:
        """Before anything else, the right to make it: where the cluster's administrator gave no more than that."""
        if deployers is None:
            return [self.namespace]
        manifest = role_binding(self._identity, deployers)
        binding = rbac.RoleBinding(
            f"{name}-rights",
            metadata=manifest["metadata"],
            role_ref=manifest["roleRef"],
            subjects=manifest["subjects"],
            # It goes with the namespace: until then everything in it can still be seen and removed.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.namespace], deleted_with=self.namespace),
        )

        async def effective(_: str) -> list[pulumi.Input[pulumi.Resource]]:
            if not pulumi.runtime.is_dry_run():
                await await_effective(self._identity.namespace, os.environ)
            return [self.namespace, binding]

        # By the URN, which is known in a preview, too.
        return binding.urn.apply(effective)

    def _service_account(self, name: str) -> pulumi.Resource:
        return core.ServiceAccount(
            f"{name}-service-account",
            metadata=self._metadata(SERVICE_ACCOUNT),
            automount_service_account_token=False,
            opts=self._inside(),
        )

    def _quota(self, name: str, limits: Limits, access: Access, defaults: pulumi.Resource) -> pulumi.Resource:
        # A quota on limits refuses every pod that names none; the defaults are what such a pod gets. They come first.
        return core.ResourceQuota(
            f"{name}-quota",
            metadata=self._metadata("environment"),
            spec=core.ResourceQuotaSpecArgs(
                hard={
                    "limits.cpu": limits.cpu,
                    "limits.memory": limits.memory,
                    "limits.ephemeral-storage": limits.ephemeral_storage,
                    "pods": str(limits.pods),
                    "persistentvolumeclaims": str(limits.volumes),
                    "requests.storage": limits.storage,
                    "services": str(limits.services),
                    **{f"count/{kind}": str(limits.objects) for kind in _COUNTED},
                    **_doors(limits, access),
                }
            ),
            opts=pulumi.ResourceOptions.merge(self._inside(), pulumi.ResourceOptions(depends_on=[defaults])),
        )

    def _container_defaults(self, name: str, container: ContainerDefaults) -> pulumi.Resource:
        return core.LimitRange(
            f"{name}-defaults",
            metadata=self._metadata("environment"),
            spec=core.LimitRangeSpecArgs(
                limits=[
                    core.LimitRangeItemArgs(
                        type="Container",
                        default={
                            "cpu": container.cpu,
                            "memory": container.memory,
                            "ephemeral-storage": container.ephemeral_storage,
                        },
                        default_request={
                            "cpu": container.cpu_request,
                            "memory": container.memory_request,
                            "ephemeral-storage": container.ephemeral_storage_request,
                        },
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


def _doors(limits: Limits, access: Access) -> dict[str, str]:
    """How many ways may lead in from outside: by load balancers of its own, or by the shared ingress; never by both."""
    if access.expose is Expose.INGRESS:
        return {"services.loadbalancers": "0", "services.nodeports": "0", _INGRESSES: str(limits.objects)}
    return {
        "services.loadbalancers": str(limits.load_balancers),
        "services.nodeports": str(limits.node_ports),
        _INGRESSES: "0",
    }


def _pod_security(level: str) -> dict[str, str]:
    return {f"pod-security.kubernetes.io/{mode}": level for mode in ("enforce", "warn")}
