"""Replace or update, ready or not, whose field: the decisions, without a cluster."""

from typing import Any

import pytest

from sandbox.plugins.kubernetes import ready
from sandbox.plugins.kubernetes.kinds import Kind
from sandbox.plugins.kubernetes.ownership import owned_by_apply
from sandbox.plugins.kubernetes.replace import must_delete_first, replacement_rule
from sandbox.plugins.kubernetes.settings import Settings, unsupported
from sandbox.plugins.provider import Secret, compare


def _replaces(kind: Kind, old: dict[str, Any], new: dict[str, Any], mutable: bool = False) -> bool:
    rule = replacement_rule(kind, new, config_map_mutable=mutable, secret_mutable=mutable)
    changes = compare(old, new, rule)
    assert changes
    return any(change.replaces for change in changes)


@pytest.mark.parametrize(
    ("token", "old", "new", "replaces"),
    [
        ("core/v1:ConfigMap", {"metadata": {"name": "a"}}, {"metadata": {"name": "b"}}, True),
        ("core/v1:ConfigMap", {"metadata": {"namespace": "a"}}, {"metadata": {"namespace": "b"}}, True),
        ("core/v1:ConfigMap", {"metadata": {"labels": {"name": "a"}}}, {"metadata": {"labels": {"name": "b"}}}, False),
        ("core/v1:ConfigMap", {"data": {"a": "1"}}, {"data": {"a": "2"}}, True),
        ("core/v1:Secret", {"stringData": {"a": "1"}}, {"stringData": {"a": "2"}}, True),
        ("core/v1:Secret", {"type": "Opaque"}, {"type": "x/y"}, True),
        ("core/v1:Service", {"spec": {"clusterIP": "None"}}, {"spec": {"clusterIP": "10.96.0.9"}}, True),
        ("core/v1:Service", {"spec": {"clusterIPs": ["a"]}}, {"spec": {"clusterIPs": ["b"]}}, False),
        ("core/v1:Namespace", {"metadata": {"labels": {}}}, {"metadata": {"labels": {"a": "b"}}}, False),
        ("core/v1:ResourceQuota", {"spec": {"hard": {"pods": "1"}}}, {"spec": {"hard": {"pods": "2"}}}, False),
        ("core/v1:ResourceQuota", {"spec": {"scopes": ["a"]}}, {"spec": {"scopes": ["b"]}}, True),
        ("core/v1:PersistentVolumeClaim", {"spec": {"volumeName": "a"}}, {"spec": {"volumeName": "b"}}, True),
        ("core/v1:Pod", {"spec": {"containers": [{"image": "a"}]}}, {"spec": {"containers": [{"image": "b"}]}}, True),
        ("apps/v1:Deployment", {"spec": {"replicas": 1}}, {"spec": {"replicas": 2}}, False),
        (
            "apps/v1:Deployment",
            {"spec": {"selector": {"matchLabels": {"a": "1"}}}},
            {"spec": {"selector": {"matchLabels": {"a": "2"}}}},
            True,
        ),
        ("batch/v1:Job", {"spec": {"template": {"x": 1}}}, {"spec": {"template": {"x": 2}}}, True),
        ("batch/v1:Job", {"spec": {"suspend": True}}, {"spec": {"suspend": False}}, False),
        ("rbac.authorization.k8s.io/v1:RoleBinding", {"roleRef": {"name": "a"}}, {"roleRef": {"name": "b"}}, True),
    ],
)
def test_what_needs_a_replacement(token: str, old: dict[str, Any], new: dict[str, Any], replaces: bool) -> None:
    assert _replaces(Kind.from_token(f"kubernetes:{token}"), old, new) is replaces


def test_maps_can_be_mutable_by_setting_unless_they_say_they_are_not() -> None:
    for kind in (Kind("", "v1", "ConfigMap"), Kind("", "v1", "Secret")):
        assert not _replaces(kind, {"data": {"a": "1"}}, {"data": {"a": "2"}}, mutable=True)
        assert _replaces(kind, {"data": {"a": "1"}}, {"data": {"a": "2"}, "immutable": True}, mutable=True)


def test_the_same_chosen_name_is_deleted_first() -> None:
    old = {"metadata": {"name": "a", "namespace": "default"}}
    assert must_delete_first(old, {"metadata": {"name": "a"}})
    assert not must_delete_first(old, {"metadata": {"name": "b"}})
    assert not must_delete_first(old, {"metadata": {"name": "a", "namespace": "other"}})
    generated = {"metadata": {"name": "a", "annotations": {"pulumi.com/autonamed": "true"}}}
    assert not must_delete_first(old, generated)


def _deployment(**status: Any) -> dict[str, Any]:
    return {"metadata": {"generation": 2}, "spec": {"replicas": 2}, "status": {"observedGeneration": 2, **status}}


@pytest.mark.parametrize(
    ("check", "obj", "is_ready"),
    [
        (ready.deployment, _deployment(replicas=2, updatedReplicas=2, availableReplicas=2), True),
        (ready.deployment, _deployment(replicas=3, updatedReplicas=2, availableReplicas=2), False),
        (ready.deployment, _deployment(replicas=2, updatedReplicas=2, availableReplicas=1), False),
        (
            ready.deployment,
            _deployment(observedGeneration=1, replicas=2, updatedReplicas=2, availableReplicas=2),
            False,
        ),
        (ready.deployment, {"metadata": {}, "spec": {"replicas": 0}, "status": {}}, True),
        (ready.stateful_set, {"spec": {"replicas": 1}, "status": {"readyReplicas": 1}}, True),
        (ready.stateful_set, {"spec": {}, "status": {}}, False),
        (ready.daemon_set, {"status": {"desiredNumberScheduled": 1, "numberReady": 1}}, False),
        (ready.daemon_set, {"status": {}}, True),
        (ready.job, {"status": {"conditions": [{"type": "Complete", "status": "True"}]}}, True),
        (ready.job, {"status": {}}, False),
        (ready.pod, {"status": {"phase": "Succeeded"}}, True),
        (ready.pod, {"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "False"}]}}, False),
        (ready.service, {"spec": {"type": "LoadBalancer"}, "status": {"loadBalancer": {}}}, False),
        (
            ready.service,
            {"spec": {"type": "LoadBalancer"}, "status": {"loadBalancer": {"ingress": [{"ip": "x"}]}}},
            True,
        ),
        (ready.service, {"spec": {"type": "ClusterIP"}}, True),
        (ready.resource_quota, {"spec": {"hard": {"cpu": "2000m"}}, "status": {"hard": {"cpu": "2"}}}, True),
        (ready.resource_quota, {"spec": {"hard": {"cpu": "2"}}}, False),
        (ready.persistent_volume_claim, {"status": {"phase": "Pending"}}, False),
    ],
)
def test_when_an_object_is_ready(check: ready.Check, obj: dict[str, Any], is_ready: bool) -> None:
    missing = check(obj)
    assert (missing is None) is is_ready
    assert missing != ""


@pytest.mark.parametrize(
    ("check", "obj"),
    [
        (ready.job, {"status": {"conditions": [{"type": "Failed", "status": "True", "message": "why"}]}}),
        (ready.pod, {"status": {"phase": "Failed", "message": "why"}}),
        (
            ready.deployment,
            {
                "status": {
                    "conditions": [{"type": "Progressing", "reason": "ProgressDeadlineExceeded", "message": "why"}]
                }
            },
        ),
    ],
)
def test_what_never_becomes_ready_is_not_waited_for(check: ready.Check, obj: dict[str, Any]) -> None:
    with pytest.raises(ready.FailedError, match="why"):
        check(obj)


def _entry(manager: str, operation: str, fields: dict[str, Any], **more: str) -> dict[str, Any]:
    return {"manager": manager, "operation": operation, "fieldsV1": fields, **more}


def test_fields_of_a_plain_create_become_applied_ones() -> None:
    ours = _entry("me", "Update", {"f:data": {"f:a": {}}})
    status = _entry("me", "Update", {"f:status": {}}, subresource="status")
    theirs = _entry("team-operator", "Update", {"f:metadata": {}})
    assert owned_by_apply([ours, status, theirs], "me") == [
        status,
        theirs,
        _entry("me", "Apply", {"f:data": {"f:a": {}}}),
    ]


@pytest.mark.parametrize(
    ("writer", "operation"),
    [("kubectl", "Update"), ("kubectl-label", "Update"), ("kubectl", "Apply"), ("pulumi-kubernetes-1a2b", "Update")],
)
def test_a_predecessors_fields_are_added_to_what_is_applied_already(writer: str, operation: str) -> None:
    applied = _entry("me", "Apply", {"f:data": {"f:a": {}}})
    kubectl = _entry(writer, operation, {"f:data": {"f:b": {}}})
    assert owned_by_apply([applied, kubectl], "me") == [_entry("me", "Apply", {"f:data": {"f:a": {}, "f:b": {}}})]


def test_nothing_is_written_where_nothing_is_ours() -> None:
    assert owned_by_apply([_entry("me", "Apply", {}), _entry("controller", "Update", {})], "me") is None


def test_settings_come_from_the_config_and_then_from_the_environment() -> None:
    environment = {"PULUMI_K8S_DELETE_UNREACHABLE": "true", "PULUMI_K8S_ENABLE_CONFIGMAP_MUTABLE": "true"}
    settings = Settings.read({"enableConfigMapMutable": "false", "kubeconfig": Secret("a: b")}, environment)
    assert settings == Settings(kubeconfig="a: b", delete_unreachable=True)


def test_settings_that_are_not_supported_are_named() -> None:
    config = {"version": "4", "kubeconfig": "x", "enableServerSideApply": "true", "suppressHelmHookWarnings": "true"}
    assert unsupported(config) == []
    refused = unsupported({**config, "enableServerSideApply": "false", "renderYamlToDirectory": "out"})
    assert [failure.property for failure in refused] == ["enableServerSideApply", "renderYamlToDirectory"]
