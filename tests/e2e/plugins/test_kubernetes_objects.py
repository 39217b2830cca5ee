"""Plain kinds through the real engine: create, apply, drift, replace, delete."""

import json

import pytest

from tests.e2e.plugins.conftest import kubectl
from tests.e2e.plugins.engine import Engine

pytestmark = [pytest.mark.e2e, pytest.mark.sampled(2)]

CANARY = "canary-4f1d9c"


def test_create_of_an_existing_namespace_is_refused(engine: Engine, namespace: str) -> None:
    engine.program(
        "import pulumi_kubernetes as k8s\n"
        f"k8s.core.v1.Namespace('mine', metadata={{'name': '{namespace}', 'labels': {{'stolen': 'yes'}}}})\n"
    )
    result = engine.up()
    assert not result.ok
    assert "already exists" in result.output
    assert "mine" not in engine.resources()
    assert "stolen" not in kubectl("get", "namespace", namespace, "-o", "json")


def _life(labels: dict[str, str]) -> str:
    return f"""
import pulumi, pulumi_kubernetes as k8s
namespace = k8s.core.v1.Namespace("life", metadata={{"labels": {labels!r}}})
inside = {{"namespace": namespace.metadata.name}}
labels = {{"uid": namespace.metadata.uid}}
k8s.core.v1.ConfigMap("settings", metadata={{**inside, "labels": labels}}, data={{"colour": "red"}})
secret = k8s.core.v1.Secret("secret", metadata=inside, string_data={{"password": "{CANARY}"}})
k8s.core.v1.ServiceAccount("account", metadata={{**inside, "name": "app"}})
k8s.core.v1.ResourceQuota("quota", metadata=inside, spec={{"hard": {{"pods": "5", "limits.cpu": "2000m"}}}})
k8s.networking.v1.NetworkPolicy("policy", metadata=inside, spec={{"podSelector": {{}}, "policyTypes": ["Ingress"]}})
pulumi.export("namespace", namespace.metadata.name)
pulumi.export("data", secret.data)
"""


def test_the_life_of_plain_objects(engine: Engine) -> None:
    engine.program(_life({"team": "one", "first": "1"}))

    # A preview knows nothing of the cluster-made uid, and says nothing wrong about it.
    preview = engine.preview()
    assert preview.ok, preview.output
    assert preview.changes == {"create": 7}

    created = engine.up()
    assert created.ok, created.output
    assert created.changes == {"created": 7}
    outputs = engine.outputs()
    namespace = outputs["namespace"]
    assert namespace.startswith("life-")
    assert engine.resources()["life"]["id"] == namespace
    assert engine.resources()["account"]["id"] == f"{namespace}/app"

    # Secrets are secrets in outputs, in the state and on the screen, also as base64.
    assert outputs["data"] == "[secret]"
    assert engine.outputs(show_secrets=True)["data"] == {"password": "Y2FuYXJ5LTRmMWQ5Yw=="}
    for text in (created.output, engine.export()):
        assert CANARY not in text
        assert "Y2FuYXJ5LTRmMWQ5Yw==" not in text

    again = engine.up()
    assert again.changes == {"unchanged": 7}, again.output

    # An update removes what the program no longer says, and leaves what others said. Whoever writes under a name that
    # begins with `kubectl` is no other to the plugin: what `kubectl label` wrote goes as if the program had said it.
    kubectl("label", "namespace", namespace, "others=stay", "--field-manager=somebody-else")
    kubectl("label", "namespace", namespace, "by-hand=goes")
    engine.program(_life({"team": "two"}))
    updated = engine.up()
    assert updated.changes == {"updated": 1, "unchanged": 6}, updated.output
    labels = json.loads(kubectl("get", "namespace", namespace, "-o", "json"))["metadata"]["labels"]
    assert labels["team"] == "two"
    assert labels["others"] == "stay"
    assert not {"first", "by-hand"} & set(labels)

    # A refresh sees what was changed and what was removed behind its back; the next up repairs both.
    # (Of a field manager whose name begins otherwise the plugin would report a conflict instead of taking over.)
    kubectl("label", "namespace", namespace, "team=drifted", "--overwrite")
    kubectl("delete", "networkpolicy", "--all", "-n", namespace)
    refreshed = engine.refresh()
    assert refreshed.changes == {"updated": 1, "deleted": 1, "changes": 2}, refreshed.output
    repaired = engine.up()
    assert repaired.ok, repaired.output
    assert repaired.changes == {"created": 1, "updated": 1, "changes": 2}, repaired.output
    labels = json.loads(kubectl("get", "namespace", namespace, "-o", "json"))["metadata"]["labels"]
    assert labels["team"] == "two"

    # Destroy returns when the namespace is gone, not when it is marked.
    destroyed = engine.destroy()
    assert destroyed.ok, destroyed.output
    assert namespace not in kubectl("get", "namespaces", "-o", "name").replace("namespace/", "").split()


def test_what_cannot_change_in_place_is_replaced(engine: Engine, namespace: str) -> None:
    program = f"""
import pulumi_kubernetes as k8s
value = "VALUE"
where = {{"namespace": "{namespace}"}}
k8s.core.v1.Secret("sealed", metadata={{**where, "name": "sealed"}}, immutable=True, string_data={{"key": value}})
k8s.core.v1.ConfigMap("auto", metadata=where, immutable=True, data={{"key": value}})
k8s.core.v1.ServiceAccount("renamed", metadata={{**where, "name": "account-" + value}})
"""
    engine.program(program.replace("VALUE", "1"))
    assert engine.up().ok
    before = engine.resources()
    engine.program(program.replace("VALUE", "2"))
    replaced = engine.up()
    assert replaced.ok, replaced.output
    assert replaced.changes == {"replaced": 3, "unchanged": 1}
    after = engine.resources()
    assert after["sealed"]["id"] == before["sealed"]["id"] == f"{namespace}/sealed"
    assert after["sealed"]["outputs"]["metadata"]["uid"] != before["sealed"]["outputs"]["metadata"]["uid"]
    assert after["auto"]["id"] != before["auto"]["id"]
    assert after["renamed"]["id"] == f"{namespace}/account-2"
    names = kubectl("get", "secret,configmap,serviceaccount", "-n", namespace, "-o", "name").split()
    assert "serviceaccount/account-1" not in names
    assert f"configmap/{before['auto']['id'].split('/')[1]}" not in names


def test_get_reads_what_is_there_and_fails_for_what_is_not(engine: Engine, namespace: str) -> None:
    kubectl("create", "configmap", "here", "-n", namespace, "--from-literal=colour=green")
    read = (
        "import pulumi, pulumi_kubernetes as k8s\n"
        f"pulumi.export('colour', k8s.core.v1.ConfigMap.get('read', '{namespace}/here').data['colour'])\n"
    )
    engine.program(read)
    assert engine.up().ok
    assert engine.outputs() == {"colour": "green"}
    engine.program(read.replace("/here", "/nowhere"))
    missing = engine.up()
    assert not missing.ok
    assert "nowhere" in missing.output
    assert "configmap/here" in kubectl("get", "configmap", "-n", namespace, "-o", "name").split()


def test_delete_waits_for_finalizers_as_long_as_it_is_told(engine: Engine, namespace: str) -> None:
    engine.program(
        "import pulumi, pulumi_kubernetes as k8s\n"
        f"k8s.core.v1.ConfigMap('held', metadata={{'namespace': '{namespace}', 'name': 'held', "
        "'finalizers': ['e2e.example.com/hold']}, opts=pulumi.ResourceOptions(\n"
        "    custom_timeouts=pulumi.CustomTimeouts(delete='3s')))\n"
    )
    assert engine.up().ok
    held = engine.destroy()
    assert not held.ok
    assert held.seconds < 30
    assert "held" in engine.resources()
    kubectl("patch", "configmap", "held", "-n", namespace, "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    # It is gone meanwhile, and that is no error.
    destroyed = engine.destroy()
    assert destroyed.ok, destroyed.output
