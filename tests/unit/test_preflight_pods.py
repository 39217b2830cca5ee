"""Whether a chart's pods would be more than pods of their environment."""

from typing import Any

import pytest

from deploytag.preflight.bounds import out_of_bounds
from deploytag.settings import Isolation

HERE = "shop-feature-test"
SIDE = {"name": "side", "image": "side:1"}


def pod(container: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """The spec of a pod as it may be, but for what is said otherwise."""
    return {"containers": [{"name": "main", **(container or {})}], "automountServiceAccountToken": False, **spec}


def named(kind: str, **rest: Any) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": "it"}, **rest}


def templates(spec: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The pod in an object of each kind, known or not."""
    template = {"template": {"metadata": {"labels": {"app": "it"}}, "spec": spec}}
    kinds = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job", "Unheard")
    return {
        **{kind: named(kind, spec=template) for kind in kinds},
        "CronJob": named("CronJob", spec={"jobTemplate": {"spec": template}}),
        "Pod": named("Pod", spec=spec),
        "PodTemplate": named("PodTemplate", **template),
        "JobSet": named("JobSet", spec={"replicatedJobs": [{"template": {"spec": template}}]}),
        "WorkerSet": named("WorkerSet", spec={"workerTemplate": template["template"]}),
    }


def complaint(*documents: Any) -> str | None:
    return out_of_bounds(HERE, documents, Isolation())


def asking(host: Any, how: str = "httpGet") -> dict[str, Any]:
    return {how: {"port": 80, "host": host}}


@pytest.mark.parametrize("kind", templates(pod()))
def test_every_template_of_pods_is_seen(kind: str) -> None:
    assert complaint(templates(pod())[kind]) is None
    said = complaint(templates(pod({"livenessProbe": asking("10.0.0.1")}))[kind])
    assert said is not None
    assert f"its {kind} it has a container main whose livenessProbe asks the host 10.0.0.1" in said
    assert complaint({"kind": "List", "items": [templates(pod({"livenessProbe": asking("10.0.0.1")}))[kind]]})


@pytest.mark.parametrize("how", ["httpGet", "tcpSocket"])
@pytest.mark.parametrize("host", ["169.254.169.254", "127.0.0.1", "shop.other", "::1"])
@pytest.mark.parametrize("what", ["startupProbe", "readinessProbe", "livenessProbe", "postStart", "preStop"])
@pytest.mark.parametrize("key", ["containers", "initContainers", "ephemeralContainers"])
def test_no_node_is_sent_to_another_host(how: str, host: str, what: str, key: str) -> None:
    action = {what: asking(host, how)}
    sent = SIDE | ({"lifecycle": action} if what in ("postStart", "preStop") else action)
    said = complaint(named("Job", spec={"template": {"spec": pod() | {key: [{"name": "main"}, sent]}}}))
    assert said is not None
    assert f"a container side whose {what} asks the host {host}" in said


@pytest.mark.parametrize(
    "action",
    [
        {"httpGet": {"port": 80}},
        asking(None),
        asking(""),
        {"httpGet": {"port": 80, "httpHeaders": [{"name": "Host", "value": "shop.example.org"}]}},
        {"grpc": {"port": 80}},
        {"exec": {"command": ["true"]}},
        None,
        "nonsense",
    ],
)
def test_a_pod_may_be_asked_itself(action: Any) -> None:
    assert complaint(named("Pod", spec=pod({"readinessProbe": action, "lifecycle": {"preStop": action}}))) is None


@pytest.mark.parametrize("kind", templates(pod()))
@pytest.mark.parametrize("priority", ["system-cluster-critical", "system-node-critical"])
def test_no_pod_ends_those_of_others(kind: str, priority: str) -> None:
    said = complaint(templates(pod(priorityClassName=priority))[kind])
    assert said is not None
    assert f"its {kind} it has pods of the priority {priority}" in said


@pytest.mark.parametrize("priority", [None, "", "low", "ecosystem-high"])
def test_a_priority_that_the_cluster_gives_is_taken(priority: str | None) -> None:
    assert complaint(named("Pod", spec=pod(priorityClassName=priority))) is None


@pytest.mark.parametrize("kind", templates(pod()))
def test_no_pod_gets_a_token_by_saying_nothing(kind: str) -> None:
    said = complaint(templates({"containers": [SIDE]})[kind])
    assert said is not None
    assert f"its {kind} it has pods of the service account default, which gives them a token" in said
    assert "write `automountServiceAccountToken: false` into the pods' spec" in said


def account(name: str, **rest: Any) -> dict[str, Any]:
    return {"kind": "ServiceAccount", "metadata": {"name": name}, **rest}


def projected(*sources: Any) -> dict[str, Any]:
    return {"name": "files", "projected": {"sources": list(sources)}}


SILENT = {"automountServiceAccountToken": None}
SECRET = "kubernetes.io/service-account-token"


@pytest.mark.parametrize(
    ("spec", "others", "said"),
    [
        ({}, [], None),
        ({"serviceAccountName": "own"}, [account("own")], None),
        (SILENT | {"serviceAccountName": "app"}, [], None),
        (SILENT | {"serviceAccount": "app"}, [], None),
        (SILENT | {"serviceAccountName": "own", "serviceAccount": "app"}, [], "the service account own"),
        (SILENT | {"serviceAccountName": ""}, [], "the service account default"),
        (SILENT | {"serviceAccountName": "own"}, [account("own", automountServiceAccountToken=False)], None),
        (SILENT | {"serviceAccountName": "own"}, [account("own")], "the service account own"),
        (SILENT | {"serviceAccountName": "own"}, [account("own", automountServiceAccountToken=True)], "account own"),
        # Helm's hooks replace what is there under their name.
        (SILENT | {"serviceAccountName": "app"}, [account("app")], "the service account app"),
        (
            SILENT | {"serviceAccountName": "own"},
            [account("own", automountServiceAccountToken=False), account("own")],
            "the service account own",
        ),
        ({"automountServiceAccountToken": True, "serviceAccountName": "app"}, [], "Token: true`, a token"),
        ({"automountServiceAccountToken": "false"}, [], "write false"),
        ({"volumes": [projected({"serviceAccountToken": {"path": "t"}})]}, [], "the volume files of a serviceAccount"),
        ({"volumes": [projected({"configMap": {}}, {"serviceAccountToken": {}})]}, [], "the volume files"),
        ({"volumes": [projected({"configMap": {}}, None), {"name": "tmp", "emptyDir": {}}, None]}, [], None),
        ({}, [named("Secret", type=SECRET)], f"its Secret it is of type {SECRET}, a token"),
        ({}, [named("Secret", type="Opaque"), named("Secret")], None),
    ],
)
def test_no_pod_gets_a_token_in_any_other_way(spec: dict[str, Any], others: list[Any], said: str | None) -> None:
    found = complaint(named("Deployment", spec={"template": {"spec": pod() | spec}}), *others)
    assert (found is None) if said is None else (found is not None and said in found)


@pytest.mark.parametrize(
    "document",
    [
        named("Pod"),
        named("Pod", spec=None),
        named("Deployment", spec=[None]),
        named("ConfigMap", data={"spec": "containers: []"}),
        # Of a kind whose object only adds to pods that somebody else makes.
        named("Prometheus", spec={"containers": [SIDE]}),
        named("CustomResourceDefinition", spec={"properties": {"spec": {"containers": {"type": "array"}}}}),
    ],
)
def test_what_is_no_template_is_none(document: Any) -> None:
    assert complaint(document) is None
