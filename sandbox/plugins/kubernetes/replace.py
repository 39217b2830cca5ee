"""Which changes of a plain kind need a replacement: the fields the API server refuses to change in place.

The table says the same as pulumi-kubernetes 4.34 (`provider/pkg/provider/diff.go`), so that both plugins plan alike.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sandbox.plugins.kubernetes.kinds import AUTONAMED, Kind
from sandbox.plugins.kubernetes.objects import Object, annotation
from sandbox.plugins.provider import Path

_NAME: Final = ("metadata.name", "metadata.namespace")
_JOB: Final = ("spec.completions", "spec.parallelism", "spec.selector", "spec.template")
_STATEFUL_SET: Final = (
    "spec.podManagementPolicy",
    "spec.revisionHistoryLimit",
    "spec.selector",
    "spec.serviceName",
    "spec.volumeClaimTemplates",
)
_VOLUME_SOURCES: Final = (
    "awsElasticBlockStore azureDisk azureFile cephfs cinder csi fc flexVolume flocker gcePersistentDisk glusterfs "
    "hostPath iscsi local nfs photonPersistentDisk portworxVolume quobyte rbd scaleIO storageos vsphereVolume"
)
_POD: Final = (
    "affinity automountServiceAccountToken dnsConfig dnsPolicy enableServiceLinks hostAliases hostIPC hostNetwork "
    "hostPID hostname imagePullSecrets nodeName nodeSelector overhead preemptionPolicy priority priorityClassName "
    "readinessGates restartPolicy runtimeClassName schedulerName securityContext serviceAccount serviceAccountName "
    "shareProcessNamespace subdomain terminationGracePeriodSeconds volumes"
)
_CONTAINER: Final = (
    "args command env image imagePullPolicy lifecycle livenessProbe ports readinessProbe resources securityContext "
    "stdin stdinOnce terminationMessagePath terminationMessagePolicy tty volumeDevices volumeMounts workingDir"
)

_FIELDS: Final[dict[tuple[str, str], tuple[str, ...]]] = {
    ("apps", "DaemonSet"): ("spec.selector",),
    ("apps", "Deployment"): ("spec.selector",),
    ("apps", "StatefulSet"): _STATEFUL_SET,
    ("batch", "Job"): _JOB,
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): ("roleRef",),
    ("rbac.authorization.k8s.io", "RoleBinding"): ("roleRef",),
    ("storage.k8s.io", "StorageClass"): ("parameters", "provisioner"),
    ("", "PersistentVolume"): tuple(f"spec.{source}" for source in _VOLUME_SOURCES.split()),
    ("", "PersistentVolumeClaim"): (
        "spec.accessModes",
        "spec.selector",
        "spec.storageClassName",
        "spec.volumeName",
    ),
    ("", "Pod"): (
        *(f"spec.{field}" for field in _POD.split()),
        *(f"spec.{which}.{field}" for which in ("containers", "initContainers") for field in _CONTAINER.split()),
    ),
    ("", "ResourceQuota"): ("spec.scopes",),
    ("", "Secret"): ("type",),
    ("", "Service"): ("spec.clusterIP",),
}


def replacement_rule(
    kind: Kind, new: Object, *, config_map_mutable: bool, secret_mutable: bool
) -> Callable[[Path], bool]:
    """Return the function that says whether a change at a path replaces the object."""
    fields = [*_NAME, *_FIELDS.get((kind.group, kind.kind), ())]
    immutable = new.get("immutable") is True
    if (kind.group, kind.kind) == ("", "Secret") and (immutable or not secret_mutable):
        fields += ["data", "stringData"]
    if (kind.group, kind.kind) == ("", "ConfigMap") and (immutable or not config_map_mutable):
        fields += ["data", "binaryData"]

    def replaces(path: Path) -> bool:
        # List indices do not count: `spec.containers.image` is the image of any container.
        dotted = ".".join(step for step in path if isinstance(step, str)) + "."
        return any(dotted.startswith(field + ".") for field in fields)

    return replaces


def must_delete_first(old: Object, new: Object) -> bool:
    """Whether a replacement has to delete first: both would have the same name, and the program chose it."""
    old_metadata, new_metadata = old.get("metadata") or {}, new.get("metadata") or {}
    return bool(
        new_metadata.get("name")
        and annotation(new, AUTONAMED) != "true"
        and new_metadata["name"] == old_metadata.get("name")
        and (new_metadata.get("namespace") or "default") == (old_metadata.get("namespace") or "default")
    )
