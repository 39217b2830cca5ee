"""Every parser of what comes from outside, each with what it is given and what it may raise.

`read` gets one hostile input and does with it what the product does; whatever it raises but a `DeployTagError` is a
defect. Used by the tests here and by the long run in `tests/soak`.
"""

import base64
import gzip
import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

import httpx
from hypothesis import strategies as st

from deploytag import buildx, ci
from deploytag.address import AddressError, HostPort, parse_host_port
from deploytag.administrator import Administrator
from deploytag.api import date_of
from deploytag.chart_source import _dependencies
from deploytag.contract import AccessValues
from deploytag.delivery import events
from deploytag.delivery.backend import Backend
from deploytag.delivery.checkpoint_file import deployment_of
from deploytag.delivery.cluster import Cluster
from deploytag.delivery.diagnosis import causes, explain, informer
from deploytag.delivery.diagnosis.generations import Snapshot, newest_generations
from deploytag.delivery.diagnosis.verify import judge, misplaced
from deploytag.delivery.diagnosis.workloads import unsettled
from deploytag.delivery.initialise.answers import exposed_port, first_image, pipeline_of, project_name
from deploytag.delivery.initialise.kubeconfig import current_cluster
from deploytag.delivery.inventory import checkpoint, whose
from deploytag.delivery.inventory.things import Kind, Server
from deploytag.delivery.inventory.whose import LeaseFacts, LedgerFacts, NamespaceFacts, VolumeFacts
from deploytag.delivery.lease.encoding import ENGINES, HOST, MACHINE, PID, RUN, state_of
from deploytag.delivery.lease.state import LeaseState, Observation
from deploytag.delivery.lifetime import expiry
from deploytag.delivery.project import PulumiProject
from deploytag.delivery.record import Record, Tombstone
from deploytag.delivery.records import KEY, Records
from deploytag.delivery.recovery.locks import SeenLock, stale
from deploytag.delivery.recovery.look import _labelled, _revisions, _runs_here
from deploytag.delivery.recovery.state import State
from deploytag.delivery.removal.docker_login import credentials
from deploytag.delivery.removal.gc_memory import GcMemory
from deploytag.delivery.removal.registry import Registry
from deploytag.delivery.store import StateStore
from deploytag.documents import DocumentError, parse_all_yaml
from deploytag.errors import DeployTagError
from deploytag.identity import identify
from deploytag.ignore import parse_rules
from deploytag.ownership import PROJECT, REF
from deploytag.passwords import DatabaseAddress, database_password
from deploytag.preflight import endpoints
from deploytag.preflight.bounds import out_of_bounds
from deploytag.preflight.cluster import connect
from deploytag.preflight.doors import wrong_door
from deploytag.preflight.proxies import proxy_of
from deploytag.redaction import Redactor
from deploytag.ref import decide_ref, decide_revision, decide_trigger, read_event
from deploytag.refname import check_pattern, check_ref, matches
from deploytag.remote import _Answer, _said, parse_refs
from deploytag.repository import Head
from deploytag.secrets import Payload, environment_variables, plain_text
from deploytag.settings import ApplicationSettings, EnvironmentClass, Isolation, Policy, SecretSource
from deploytag.settings.types import parse_duration
from deploytag.yamlmodel import Complaints, read_model
from tests.unit.ci_environments import BUILDKITE, GITHUB, GITLAB, JENKINS, pull_request
from tests.unit.delivery.fake_config_maps import ConfigMaps
from tests.unit.hostile.strategies import damaged, texts, values

SHOP = identify("shop", "feature/test")
NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
CLASS = EnvironmentClass.model_validate(
    {"pattern": "feature/*", "secrets": ["s"], "database_key": "k", "ttl": "99999w", "sleep_after": "1h"}
)


@dataclass(frozen=True)
class Parser:
    """One parser."""

    read: Callable[[Any], object]
    inputs: st.SearchStrategy[Any] = field(default=texts, repr=False)
    raises: tuple[type[Exception], ...] = (DeployTagError,)


# --- refs and CI ------------------------------------------------------------------------------------------------------


def _ref(text: str) -> None:
    identify("shop", check_ref(text))


def _pattern(text: str) -> None:
    matches(check_pattern(text), "feature/test")
    matches("feature/*-*-*-*-*/x", text)


ENVIRONMENTS = (
    GITHUB
    | {"GITHUB_REF": "refs/heads/x", "GITHUB_REF_NAME": "x", "GITHUB_REF_TYPE": "branch", "GITHUB_EVENT_NAME": "push"},
    GITLAB | {"CI_COMMIT_BRANCH": "x", "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "x", "CI_COMMIT_SHA": "a" * 40},
    JENKINS | {"BRANCH_NAME": "x", "CHANGE_ID": "1", "CHANGE_BRANCH": "x", "CHANGE_FORK": "x", "GIT_BRANCH": "x"},
    BUILDKITE | {"BUILDKITE_BRANCH": "x", "BUILDKITE_TAG": "", "BUILDKITE_COMMIT": "HEAD"},
    {"DEPLOYTAG_BRANCH": "x", "DEPLOYTAG_REVISION": ""},
)


@st.composite
def ci_runs(draw: st.DrawFn) -> tuple[dict[str, str], Any]:
    environ = dict(draw(st.sampled_from(ENVIRONMENTS)))
    for name in draw(st.lists(st.sampled_from(sorted(environ)), max_size=3)):
        environ[name] = draw(texts)
    event = draw(damaged(pull_request("acme/shop") | {"action": "closed", "ref": "x", "deleted": True}))
    return environ, event if isinstance(event, dict) else {}


def _ci(given: tuple[Mapping[str, str], Any]) -> None:
    environ, event = given
    head = Head("main", "a" * 40)
    for decide in (
        lambda: decide_trigger(environ, lambda: event),
        lambda: decide_ref(None, environ, lambda: event, lambda: head),
        lambda: decide_revision(environ, lambda: event, lambda: head.commit),
    ):
        try:
            decide()
        except DeployTagError as error:
            str(error)
    if system := ci.detect(environ):
        ci.commit(system, environ, event)


def _event(content: bytes) -> None:
    with _file(content) as path:
        read_event({"GITHUB_ACTIONS": "true", "GITHUB_EVENT_PATH": str(path)})


# --- settings ---------------------------------------------------------------------------------------------------------

SETTINGS: dict[str, Any] = {
    "images": {"base": {"dockerfile": "Dockerfile.base", "context": ["a"]}, "app": {"context": ["."]}},
    "tests": {"command": ["make"], "timeout": 5},
    "chart": {"path": "charts/app", "timeout": 5, "values": {"a": {"b": ["{{ x }}", 1, None, True]}}},
    "verify": {"path": "/", "json_path": ["a"], "timeout": 5},
    "variables": {"database": "A", "redis": "B"},
}
POLICY: dict[str, Any] = {
    "cluster": {"server": "https://k:6443", "ca_sha256": "a" * 64},
    "lease_seconds": 30,
    "classes": {
        "feature": {
            "pattern": "feature/*",
            "secrets": ["staging/app"],
            "database_key": "staging/key",
            "ttl": "14d",
            "sleep_after": "2d",
            "limits": {"cpu": "2", "memory": "1Gi", "pods": 2},
        }
    },
}
PULUMI: dict[str, Any] = {
    "name": "shop",
    "runtime": {"name": "python", "options": {"toolchain": "pip", "virtualenv": "venv"}},
    "config": {"registry": {"default": "r:5000"}, "builder": "b"},
    "backend": {"url": "file:///state"},
    "stackConfigDir": "stacks",
}


def _model(model: Any) -> Callable[[bytes], None]:
    def read(content: bytes) -> None:
        with _file(content) as path:
            found = read_model(path, model)
        if isinstance(found, Complaints):
            assert all("\n" not in line for line in found)
            return
        found.model_dump_json()
        if isinstance(found, ApplicationSettings):
            json.dumps(found.chart.values)
        if isinstance(found, Policy):
            found.class_of("feature/test")
        if isinstance(found, PulumiProject):
            found.default("registry")

    return read


def _yaml(document: Any) -> bytes:
    """As YAML; what YAML cannot write as JSON, which it can read."""
    return json.dumps(document, ensure_ascii=True).encode()


def yaml_files(document: Any) -> st.SearchStrategy[bytes]:
    return st.one_of(damaged(document).map(_yaml), texts.map(lambda text: text.encode(errors="surrogatepass")))


class _file:
    """A file with the content, while it is needed."""

    def __init__(self, content: bytes, name: str = "file.yaml") -> None:
        self._content, self._name = content, name

    def __enter__(self) -> Path:
        self._folder = tempfile.TemporaryDirectory()
        path = Path(self._folder.name, self._name)
        path.write_bytes(self._content)
        return path

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()


def _chart(content: bytes) -> None:
    with _file(content, "Chart.yaml") as path:
        _dependencies(path.parent, PurePosixPath())


CHART = {
    "name": "app",
    "version": "1.0.0",
    "dependencies": [{"name": "redis", "version": "1", "repository": "file://../r"}],
}
SERVICE = {"kind": "Service", "metadata": {"name": SHOP.release}, "spec": {"type": "LoadBalancer"}}


LOADBALANCER = AccessValues(expose="loadbalancer", annotations={"a": "b"}, sourceRanges=["192.0.2.0/24"], ingress=None)
INGRESS = AccessValues(
    expose="ingress",
    annotations={},
    sourceRanges=[],
    ingress={"className": "nginx", "host": "shop.test", "tls": True, "tlsSecret": "shop"},
)


def _rendered(content: bytes) -> None:
    documents = list(parse_all_yaml(content.decode(errors="replace")))
    out_of_bounds(SHOP.namespace, documents, Isolation())
    for access in (None, LOADBALANCER, INGRESS):
        wrong_door(SHOP.release, documents, access)


def _dockerfile(text: str) -> None:
    exposed_port(text)
    first_image(text)


def _ignore(text: str) -> None:
    parse_rules(text).match_file("a" * 200 + "/" + "b/" * 50 + "c")


# --- secrets ----------------------------------------------------------------------------------------------------------


def _secret(payload: str) -> None:
    for value in environment_variables(
        [Payload(SecretSource(id="staging/app"), "1", payload)], reserved={"DATABASE_URL"}
    ).values():
        assert "\0" not in value
        value.encode()


def _key(payload: str) -> None:
    password = database_password(plain_text("staging/key", payload), SHOP.role)
    DatabaseAddress("db", 5432, SHOP.database, SHOP.role).url(password)


SECRET = {"A": "x", "B": 1, "C": True, "D": "line\nline"}

# --- Pulumi -----------------------------------------------------------------------------------------------------------

URN = "urn:pulumi:feature-test::shop::kubernetes:core/v1:Namespace::namespace"
STACK_URN = "urn:pulumi:feature-test::shop::pulumi:pulumi:Stack::shop-feature-test"
EVENTS = [
    {"resourcePreEvent": {"metadata": {"op": "create", "urn": URN, "type": "kubernetes:core/v1:Namespace"}}},
    {
        "resOutputsEvent": {
            "metadata": {
                "op": "update",
                "urn": STACK_URN,
                "type": "pulumi:pulumi:Stack",
                "new": {"outputs": {"url": "http://x"}},
            }
        }
    },
    {"resOpFailedEvent": {"metadata": {"op": "delete", "urn": URN, "type": "t"}}},
    {"diagnosticEvent": {"severity": "error", "message": "no", "urn": URN, "ephemeral": False}},
]


def _engine_event(line: str) -> None:
    event = events.parse(line)
    if isinstance(event, events.Step):
        str((event.name, event.kind, event.changes, dict(event.outputs or {})))


CHECKPOINT = {
    "version": 3,
    "checkpoint": {
        "latest": {
            "resources": [
                {
                    "urn": STACK_URN,
                    "type": "pulumi:pulumi:Stack",
                    "outputs": {"ref": "feature/test", "app_image": "r@x"},
                },
                {
                    "urn": URN,
                    "type": "kubernetes:core/v1:Namespace",
                    "custom": True,
                    "id": "shop-feature-test",
                    "inputs": {"metadata": {"name": "shop-feature-test", "annotations": {PROJECT: "shop", REF: "x"}}},
                },
                {"urn": URN, "type": "docker-build:index:Image", "custom": True, "outputs": {"ref": "r@sha256:1"}},
                {"urn": URN, "type": "postgresql:index/role:Role", "custom": True, "inputs": {"name": "x"}},
            ],
            "pending_operations": [
                {"type": "creating", "resource": {"urn": URN, "type": "t", "inputs": {"kind": "x"}}}
            ],
        }
    },
}


def _checkpoint(content: bytes) -> None:
    deployment = deployment_of(content)
    State.of(deployment)
    checkpoint.ref_of(deployment)
    checkpoint.images(deployment)
    checkpoint.protected(deployment)
    checkpoint.is_empty(deployment)
    checkpoint.beyond(deployment, SHOP)
    for pending in State.of(deployment).pending:
        str((pending.name, pending.object))


LOCK = {"pid": 5, "username": "u", "hostname": "h", "timestamp": "2026-11-23T08:00:00Z"}


def _lock(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = StateStore.from_environ({"PULUMI_BACKEND_URL": f"file://{folder}"}, Path(folder))
        assert store is not None
        path = Path(folder, ".pulumi/locks/organization/shop/x/lock.json")
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
        locks = store.locks("shop", "x")
        _runs_here(locks[0])
        stale(SHOP, [SeenLock(lock) for lock in locks], [], NOW)


def _backend(url: str) -> None:
    if "\0" in url or not (backend := Backend.find({"PULUMI_BACKEND_URL": url}, Path("/nonexistent"))):
        return
    str((backend.scheme, backend.said))
    if backend.scheme == "file":
        str((backend.folder(), backend.everywhere))


def _project_backend(content: bytes) -> None:
    with _file(content, "Pulumi.yaml") as path:
        if found := Backend.find({"PULUMI_HOME": str(path.parent / "none")}, path.parent):
            str(found.said)


# --- the cluster ------------------------------------------------------------------------------------------------------

META = {
    "name": "web-1",
    "uid": "u1",
    "namespace": SHOP.namespace,
    "creationTimestamp": "2026-11-23T08:00:00Z",
    "generation": 1,
    "labels": {"owner": "helm", "name": SHOP.release, "version": "1", "status": "deployed"},
    "annotations": {"deployment.kubernetes.io/revision": "2", "helm.sh/hook": "pre-install"},
    "ownerReferences": [{"kind": "ReplicaSet", "name": "web", "uid": "u2", "controller": True}],
}
CONTAINER = {
    "name": "main",
    "ready": False,
    "restartCount": 3,
    "image": "i",
    "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}},
    "lastState": {"terminated": {"exitCode": 1, "reason": "Error", "finishedAt": "2026-11-23T08:00:00Z"}},
}
CONDITION = {
    "type": "Failed",
    "status": "True",
    "reason": "x",
    "message": "y",
    "lastTransitionTime": "2026-11-23T08:00:00Z",
}
OBJECTS: dict[str, Any] = {
    "pods": {
        "metadata": META,
        "spec": {"containers": [{"name": "main", "image": "i", "readinessProbe": {"periodSeconds": 1}}]},
        "status": {"phase": "Pending", "conditions": [CONDITION], "containerStatuses": [CONTAINER]},
    },
    "events": {
        "metadata": META,
        "involvedObject": {"kind": "Pod", "name": "web-1", "uid": "u1", "fieldPath": "spec.containers{main}"},
        "reason": "Failed",
        "message": "Failed to pull image",
        "firstTimestamp": "2026-11-23T08:00:00Z",
        "series": {"count": 3, "lastObservedTime": "2026-11-23T08:00:00Z"},
    },
    "jobs": {"metadata": META, "status": {"active": 0, "conditions": [CONDITION]}},
    "replica_sets": {"metadata": META, "spec": {"replicas": 1}, "status": {"replicas": 0, "conditions": [CONDITION]}},
    "stateful_sets": {
        "metadata": META,
        "spec": {"replicas": 1, "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}},
        "status": {"updateRevision": "x"},
    },
    "deployments": {"metadata": META, "spec": {"replicas": 1}, "status": {"observedGeneration": 0}},
    "endpoint_slices": {
        "metadata": {**META, "labels": {"kubernetes.io/service-name": SHOP.release}},
        "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": True}, "targetRef": {"uid": "u1"}}],
    },
    "releases": {"metadata": {**META, "labels": {"name": SHOP.release, "version": "1", "status": "pending-install"}}},
}
KINDS = (
    *(informer.PODS, informer.EVENTS, informer.JOBS, informer.REPLICA_SETS, informer.STATEFUL_SETS),
    *(informer.DEPLOYMENTS, informer.ENDPOINT_SLICES, informer.RELEASES),
)


def _namespace_objects(objects: Any) -> None:
    objects = objects if isinstance(objects, dict) else {}
    found = {
        kind.field: tuple(informer._parsed(kind, [objects.get(kind.field), OBJECTS[kind.field]]).values())
        for kind in KINDS
    }
    snapshot = Snapshot(**found)  # type: ignore[arg-type]
    newest_generations(snapshot)
    misplaced(snapshot, SHOP.release)
    unsettled(snapshot, NOW)
    causes.find(snapshot, NOW)
    explain.pending_release(snapshot.releases, SHOP.release)


def _helm_secrets(metadata: Any) -> None:
    # The API server sees to it that metadata is metadata, and labels are texts.
    labels = metadata.get("labels") if isinstance(metadata, dict) else None
    known = {str(key): str(value) for key, value in labels.items()} if isinstance(labels, dict) else None
    secrets = [{"name": "x", "labels": known}]
    _revisions(secrets, SHOP)
    list(_labelled(secrets, SHOP))


def _annotations(texts_: dict[str, str]) -> None:
    whose.namespace(NamespaceFacts(SHOP.namespace, texts_, "Active"))
    whose.lease(LeaseFacts(SHOP.namespace, texts_, "x"))
    whose.volumes([VolumeFacts("v", texts_, SHOP.namespace, "x")], {}, frozenset())
    server = Server({text: text for text in texts_.values()}, frozenset(texts_.values()))
    whose.all_databases("shop", [LedgerFacts(SHOP.namespace, texts_)], server)
    whose.databases_of(SHOP, LedgerFacts("x", texts_), server)


annotations = st.fixed_dictionaries(
    {PROJECT: st.one_of(st.just("shop"), texts), REF: texts, "project": st.one_of(st.just("shop"), texts), "ref": texts}
)

LEASE: dict[str, Any] = {
    "metadata": {
        "name": "x",
        "uid": "u",
        "resourceVersion": "7",
        "annotations": {
            RUN: "r",
            "deploytag.dev/action": "deploy",
            HOST: "h",
            MACHINE: "m",
            PID: "5",
            ENGINES: json.dumps([{"host": "h", "pid": 5, "started": "2026-11-23T08:00:00Z"}]),
        },
    },
    "spec": {
        "holderIdentity": "r",
        "leaseDurationSeconds": 30,
        "leaseTransitions": 1,
        "acquireTime": "2026-11-23T08:00:00.000000Z",
        "renewTime": "2026-11-23T08:00:00.000000Z",
    },
}


def _lease_of(notes: dict[str, str], moment: datetime) -> dict[str, Any]:
    """One that the API server would have: texts are texts, and times are times."""
    spec = LEASE["spec"] | {"acquireTime": moment.isoformat(), "renewTime": moment.isoformat()}
    return {"metadata": LEASE["metadata"] | {"annotations": notes}, "spec": spec}


def _lease(lease: Any) -> None:
    state: LeaseState = state_of(lease, NOW)
    str((state.said, state.live, Observation("7", 0.0).expires(state)))
    for engine in state.engines:
        stale(SHOP, [], [engine], NOW)
        str(engine.started - (NOW - NOW))


leases = st.one_of(
    damaged(LEASE),
    st.builds(
        _lease_of,
        st.fixed_dictionaries({key: st.just(value) | texts for key, value in LEASE["metadata"]["annotations"].items()}),
        st.datetimes(timezones=st.timezones() | st.just(UTC)),
    ),
)
RECORD = {
    "project": "shop",
    "ref": "feature/test",
    "stack": "feature-test",
    "namespace": SHOP.namespace,
    "pushed": "2026-11-23T08:00:00Z",
    "environment_class": "feature",
    "keep_until": "2026-12-23T08:00:00Z",
    "deployed": {
        "revision": "a" * 40,
        "fingerprint": "f",
        "url": "http://x",
        "images": ["r@sha256:1"],
        "verified": "2026-11-23T08:00:00Z",
    },
    "attempt": {"run": "r", "action": "deploy", "revision": None, "started": "2026-11-23T08:00:00Z"},
    # A tombstone's.
    "tip": None,
    "destroyed": "2026-11-23T08:00:00Z",
    "run": "r",
}


def _record(text: str) -> None:
    for kind in ("record", "tombstone"):
        maps = ConfigMaps()
        records = Records(Cluster(maps), lambda _: None)
        metadata = {
            "name": f"{SHOP.namespace}.{kind}",
            "labels": {"app.kubernetes.io/managed-by": "deploytag", PROJECT: "shop", "deploytag.dev/kind": kind},
            "annotations": {PROJECT: "shop", REF: SHOP.ref},
        }
        maps.store({"metadata": metadata, "data": {KEY: text}}, "u")
        for found in (records.get(SHOP), *records.all("shop")):
            if isinstance(found, Record):
                expiry(found, CLASS)
                whose.remembered(Kind.RECORD, found)
                str(NOW - found.pushed)
        for grave in records.tombstones("shop"):
            assert isinstance(grave, Tombstone)
            whose.remembered(Kind.TOMBSTONE, grave)
            str(NOW - grave.destroyed)


def _memory(text: str) -> None:
    try:
        memory = GcMemory.model_validate_json(text)
    except ValueError:  # as `gc_memory.load`
        return
    for since in memory.unreferenced.values():
        str(NOW - since)


# --- services ---------------------------------------------------------------------------------------------------------

headers = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=60) | st.sampled_from(
    [
        'Bearer realm="https://[",service="x"',
        'Bearer realm="file:///etc/passwd"',
        'Bearer realm=""',
        "Bearer",
        'Basic realm="x"',
        '</v2/x/tags/list?n=500&last=a>; rel="next"',
        '<https://[>; rel="next"',
        '<//evil/v2/>; rel="next"',
        "sha256:" + "a" * 64,
        "../../other/manifests/x",
    ]
)
answers = st.fixed_dictionaries(
    {
        "status": st.sampled_from([200, 201, 202, 204, 301, 302, 400, 401, 403, 404, 405, 429, 500, 599]),
        "content": st.one_of(
            st.binary(max_size=40),
            damaged({"tags": ["a", "b"], "token": "t", "access_token": "t"}).map(_yaml),
        ),
        "WWW-Authenticate": headers,
        "Link": headers,
        "Docker-Content-Digest": headers,
        "Location": headers,
        "Content-Encoding": st.sampled_from(["identity", "gzip", "x"]),
    }
)


def _registry(given: list[dict[str, Any]]) -> None:
    turns = [*given, *given]

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.host == "registry.test" or not request.headers.get("Authorization")
        if not turns:
            return httpx.Response(404)
        turn = dict(turns.pop(0))
        status, content = turn.pop("status"), turn.pop("content")
        return httpx.Response(status, headers=turn, content=content)

    for ask in (
        lambda it: it.images("shop/app"),
        lambda it: it.delete("shop/app", "sha256:" + "a" * 64),
        lambda it: it.try_push("shop/app"),
    ):
        turns = [*given, *given]
        try:
            found = ask(Registry("registry.test", {}, httpx.MockTransport(answer)))  # type: ignore[no-untyped-call]
            for image in found if isinstance(found, list) else ():
                assert image.digest.startswith("sha")
                assert all("/" not in tag for tag in image.tags)
        except DeployTagError:
            continue


DOCKER = {"auths": {"registry.test": {"auth": base64.b64encode(b"user:secret").decode()}}, "credHelpers": {"x": "y"}}


def _docker_login(content: bytes) -> None:
    with _file(content, "config.json") as path:
        credentials("registry.test", {"DOCKER_CONFIG": str(path.parent), "PATH": ""})


KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "c",
    "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
    "clusters": [{"name": "k", "cluster": {"server": "https://k:6443", "certificate-authority-data": "eA=="}}],
    "users": [{"name": "u", "user": {"token": "t"}}],
}


def _kubeconfig(content: bytes) -> None:
    with _file(content) as path:
        current_cluster({"KUBECONFIG": str(path)})
        connect(str(path))


def _environ(text: str) -> None:
    for variables in ({"PGHOST": text, "PGPORT": text, "PGUSER": text}, {"PGHOST": "x", "PGPORT": text}):
        try:
            endpoints.database_endpoint(Administrator.from_environ(variables))
        except DeployTagError:
            continue
    for read in (
        lambda: endpoints.aws_endpoint({"AWS_ENDPOINT_URL": text}),
        lambda: endpoints.aws_endpoint({"AWS_REGION": text}),
        lambda: endpoints.registry_endpoint(text, {}),
        lambda: endpoints.builder_endpoint(text or "x", {"BUILDX_CONFIG": "/nonexistent"}),
        lambda: proxy_of(HostPort("x", 443), "https", {"https_proxy": text, "no_proxy": text}),
    ):
        try:
            read()
        except DeployTagError:
            continue


def _address(text: str) -> None:
    for read in (parse_host_port, HostPort.of_url):
        try:
            str(read(text))
        except AddressError:
            continue


def _application_answer(document: Any) -> None:
    verify = ApplicationSettings.model_validate({"verify": {"json_path": ["a", "b"]}}).verify
    str(judge(verify, "a" * 40, 200, {}, document))


def _remote_url(text: str) -> None:
    pipeline_of(text)
    identify(project_name(text, text), "feature/test")


BUILD = {"Target": "default", "LocalPath": "/shop/.deploytag/contexts/x", "DockerfilePath": "/shop/Dockerfile"}


def _build(text: str) -> None:
    buildx.context_of(text.encode(errors="surrogatepass"))


def _git_error(text: str) -> None:
    assert "secret" not in _said(_Answer(1, "", text + " https://user:secret@host/x"))


def _duration(text: str) -> None:
    parse_duration(text)


PARSERS: dict[str, Parser] = {
    "a ref": Parser(_ref),
    "a pattern": Parser(_pattern),
    "CI variables and GitHub's event": Parser(_ci, ci_runs()),
    "GitHub's event file": Parser(_event, yaml_files(pull_request("acme/shop"))),
    "deploytag.yaml": Parser(_model(ApplicationSettings), yaml_files(SETTINGS)),
    "deploytag.policy.yaml": Parser(_model(Policy), yaml_files(POLICY)),
    "Pulumi.yaml": Parser(_model(PulumiProject), yaml_files(PULUMI)),
    "Pulumi.yaml's backend": Parser(_project_backend, yaml_files(PULUMI)),
    "Chart.yaml": Parser(_chart, yaml_files(CHART)),
    "a rendered chart": Parser(_rendered, yaml_files(SERVICE), (DeployTagError, DocumentError)),
    "a Dockerfile": Parser(_dockerfile, texts.map(lambda text: f"FROM {text}\nEXPOSE {text}\n{text}")),
    ".dockerignore": Parser(_ignore),
    "a secret": Parser(_secret, st.one_of(texts, damaged(SECRET).map(json.dumps))),
    "a database key": Parser(_key),
    "git ls-remote": Parser(parse_refs, st.one_of(texts, texts.map(lambda text: f"{'a' * 40}\trefs/heads/{text}\n"))),
    "git's complaint": Parser(_git_error),
    "a build that buildx wrote down": Parser(_build, st.one_of(texts, damaged(BUILD).map(json.dumps))),
    "an event of the engine": Parser(_engine_event, st.one_of(texts, *(damaged(it).map(json.dumps) for it in EVENTS))),
    "a checkpoint": Parser(
        _checkpoint,
        st.one_of(
            st.binary(max_size=40),
            damaged(CHECKPOINT).map(_yaml),
            damaged(CHECKPOINT).map(lambda it: gzip.compress(_yaml(it))[:-1]),
        ),
        (DeployTagError, DocumentError),
    ),
    "a lock of Pulumi's": Parser(_lock, yaml_files(LOCK)),
    "a backend's URL": Parser(_backend, st.one_of(texts, texts.map(lambda text: f"file://{text}"))),
    "objects of a namespace": Parser(_namespace_objects, damaged(OBJECTS)),
    "Helm's release secrets": Parser(_helm_secrets, damaged(META)),
    "annotations, the ledger, names of databases": Parser(_annotations, annotations),
    "a lease": Parser(_lease, leases, (DeployTagError, DocumentError)),
    "the API server's date": Parser(lambda text: date_of({"Date": text})),
    "a record or tombstone": Parser(_record, st.one_of(texts, damaged(RECORD).map(json.dumps))),
    "gc's memory": Parser(
        _memory, damaged({"refs": 5, "unreferenced": {"sha256:1": "2026-11-23T08:00:00Z"}}).map(json.dumps)
    ),
    "a registry's answers": Parser(_registry, st.lists(answers, min_size=1, max_size=4)),
    "Docker's logins": Parser(_docker_login, yaml_files(DOCKER)),
    "a kubeconfig": Parser(_kubeconfig, yaml_files(KUBECONFIG)),
    "PG*, AWS_*, registry, builder, proxies": Parser(_environ),
    "an address": Parser(_address),
    "the application's answer": Parser(_application_answer, values),
    "a remote's URL": Parser(_remote_url),
    "a secret's value in a log": Parser(lambda text: Redactor([text, text * 2])(f"a{text}b")),
    "a duration": Parser(_duration, raises=(ValueError,)),
}
"""By what is read."""
