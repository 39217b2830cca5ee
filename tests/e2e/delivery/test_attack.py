"""From a pod of branch A: everything that is not A's is tried, and denied; everything that is A's works.

That something does not answer proves nothing, so the same is also tried from a place where it is allowed: a pod in a
namespace without policies, or B's own pod. The results are the table in docs/security.md; `make attempts` writes it.
"""

import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from deploytag.administrator import Administrator
from deploytag.delivery.cluster import Cluster
from deploytag.preflight.database import connect
from tests.e2e.delivery.attempts import (
    ADMINISTRATOR,
    ECHO,
    ECHO_SERVICE,
    FILLER,
    ITS_OWN,
    LARGE_VOLUME,
    MANY_NODE_PORTS,
    POD_ATTEMPTS,
    SECOND_BALANCER,
    SECOND_DOOR,
    STATEMENT_SECONDS,
    UNRESTRICTED,
    Attempt,
    database_attempts,
    network_attempts,
    secret,
)
from tests.e2e.delivery.charts import namespace
from tests.e2e.delivery.hostile import World, created, pod
from tests.e2e.delivery.pushing import pushing
from tests.e2e.names import own
from tests.e2e.program.checkout import REPOSITORY
from tests.e2e.typed import core

pytestmark = pytest.mark.e2e

PAGE = REPOSITORY / "docs/security.md"
BEGIN, END = "<!-- attempts: made by tests/e2e/delivery/test_attack.py -->", "<!-- /attempts -->"
PODS, CONNECTIONS, OBJECTS, DISK = 8, 20, 10, "100Mi"
"""What the class of this test allows an environment, and a container of its disk."""


@pytest.fixture
def world(tmp_path: Path, cluster: Cluster) -> Iterator[World]:
    with pushing(tmp_path) as it, namespace(tmp_path) as outside:
        settings = yaml.safe_load((it.path / "deploytag.yaml").read_text())
        (it.path / "deploytag.yaml").write_text(yaml.safe_dump({**settings, "tests": None}))
        limits = {
            "pods": PODS,
            "database_connections": CONNECTIONS,
            "statement_seconds": STATEMENT_SECONDS,
            "objects": OBJECTS,
            "container": {"ephemeral_storage": DISK},
        }
        it.checkout.policy(limits=limits)
        a, b = it.identity(own("feature/attack-a")), it.identity(own("feature/attack-b"))
        url = {}
        for identity in (a, b):
            it.push(identity.ref)
            url[identity.ref] = it.report("deploy", identity.ref)["url"]
        world = World(it, cluster, a, b, outside, url)
        image = world.pod(a, "web").spec.containers[0].image
        for name, container in {
            "tools": {"image": image, "command": ["sleep", "infinity"]},
            "echo": {"image": image, "command": ["python3", "-c", ECHO]},
            "neighbour": {"image": "redis:7", "command": ["redis-server", "--protected-mode", "no"]},
        }.items():
            assert created(outside.name, pod(name, container, labels={"app": name})) == ""
        assert created(outside.name, ECHO_SERVICE) == ""
        outside.kubectl("wait", "--for=condition=Ready", "pod/tools", "pod/echo", "pod/neighbour", "--timeout=60s")
        yield world


def row(what: str, allowed_for: str, stopped_by: str, result: str = "denied") -> str:
    return f"| {what} | {result} | {allowed_for} | {stopped_by} |"


def test_a_branch_gets_what_is_its_own_and_nothing_else(world: World, request: pytest.FixtureRequest) -> None:
    """One test, for its two environments are dear."""
    what_is_its_own_works(world)
    status_shows_what_is_in_force(world)
    table = [*connection_rows(world), *pod_rows(world), *token_rows(world), *limit_rows(world)]
    head = ["| A tries to reach or to get | result | the same is allowed for | stopped by |", "|---|---|---|---|"]
    text = "\n".join([BEGIN, *head, *table, END])
    page = PAGE.read_text()
    begin, end = page.index(BEGIN), page.index(END) + len(END)
    if request.config.getoption("--write-docs"):
        PAGE.write_text(page[:begin] + text + page[end:])
        return
    assert page[begin:end] == text, "docs/security.md says otherwise: run `make attempts`"


def what_is_its_own_works(world: World) -> None:
    a = world.a
    works = {
        "a name inside": ("resolve", f"{a.release}.{a.namespace}.svc.cluster.local"),
        "a short name": ("resolve", a.release),
        "its database": ("database", "SELECT 1"),
        "its redis": ("redis",),
        "its service": ("tcp", a.release, 80),
        "its own address from inside": ("tcp", httpx.URL(world.url[a.ref]).host, 80),
    }
    assert world.from_a(works) == dict.fromkeys(works, "")
    for ref, url in world.url.items():
        assert httpx.get(url, timeout=10).json()["ref"] == ref


def status_shows_what_is_in_force(world: World) -> None:
    said = world.pushing.report("status", world.a.ref)["isolation"]
    assert said["pod_security"] == "restricted"
    assert said["limits"]["pods"]["most"] == str(PODS)
    assert said["containers"]["ephemeral-storage"] == DISK
    assert said["token"] is False
    assert said["database"] == {"connections": CONNECTIONS, "statement_timeout": f"{STATEMENT_SECONDS}000"}
    assert set(said["network"]) == {"default-deny", "inside", "public", "dns", "database", "internet"}
    assert f"{world.pushing.checkout.environ['PGHOST']}/32, port" in said["network"]["database"]


def connection_rows(world: World) -> list[str]:
    """Attempts by connecting somewhere, each also from where it is allowed."""
    attempts = [*network_attempts(world), *database_attempts(world)]
    calls = {it.what: it.call for it in attempts}
    mine = world.from_a(calls)
    allowed = {
        UNRESTRICTED: world.from_outside({it.what: it.call for it in attempts if it.allowed_for == UNRESTRICTED}),
        ITS_OWN: world.from_b(
            {
                it.what: it.call[:2] if it.call[0] == "database" else it.call
                for it in attempts
                if it.allowed_for == ITS_OWN
            }
        ),
        ADMINISTRATOR: as_administrator(world, [it for it in attempts if it.allowed_for == ADMINISTRATOR]),
        "nobody": {it.what: "" for it in attempts if it.allowed_for == "nobody"},
    }
    rows = []
    for it in attempts:
        if elsewhere := allowed[it.allowed_for][it.what]:
            assert it.machine, f"{it.what}: not even {it.allowed_for} succeeds, so nothing is shown: {elsewhere}"
            warnings.warn(f"{it.what}: nothing is there on this machine, so nothing is shown", stacklevel=1)
        assert it.denial in mine[it.what], f"{it.what}: A got {mine[it.what] or 'what it wanted'}"
        rows.append(row(it.what, it.allowed_for, it.stopped_by))
    return rows


def as_administrator(world: World, attempts: list[Attempt]) -> dict[str, str]:
    """Statements that the administrator may execute; what they make is undone."""
    server = Administrator.from_environ(world.pushing.checkout.environ)
    undone = {"CREATE ROLE": "DROP ROLE", "CREATE DATABASE": "DROP DATABASE"}
    with connect(server, autocommit=True) as connection:
        for it in attempts:
            statement = str(it.call[1])
            connection.execute(statement.encode())
            for made, dropped in undone.items():
                if statement.startswith(made):
                    connection.execute(statement.replace(made, dropped).encode())
    return {it.what: "" for it in attempts}


def pod_rows(world: World) -> list[str]:
    """Pods that nobody can start in an environment, be it with the rights of the cluster's administrator."""
    rows = []
    for what, manifest in POD_ATTEMPTS.items():
        assert created(world.outside.name, manifest, dry=True) == "", what
        assert "violates PodSecurity" in created(world.a.namespace, manifest, dry=True), what
        rows.append(row(what, "a namespace without policies", "Pod Security `restricted`"))
    return rows


def token_rows(world: World) -> list[str]:
    """The way to the API server's rights."""
    a, token = world.a, ("read", "/var/run/secrets/kubernetes.io/serviceaccount/token")
    assert world.from_outside({"token": token}) == {"token": ""}
    assert "No such file" in world.from_a({"token": token})["token"]
    account = f"system:serviceaccount:{a.namespace}:app"
    rights = "get secrets", "list pods", "create pods"
    for right in rights:
        assert may(right, a.namespace)
        assert not may(right, a.namespace, "--as", account)
    return [
        row("a token of its service account", UNRESTRICTED, "no token is mounted"),
        row("anything of the API, with that account", ADMINISTRATOR, "the account has no rights"),
    ]


def may(right: str, space: str, *options: str) -> bool:
    command = ["kubectl", "auth", "can-i", *right.split(), "--namespace", space, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.strip() in {"yes", "no"}, done.stderr
    return done.stdout.strip() == "yes"


def limit_rows(world: World) -> list[str]:
    """One more than it may have. The connections come last: while they are held, A itself gets none."""
    space = world.a.namespace
    small = {"resources": {"limits": {"cpu": "10m", "memory": "16Mi"}, "requests": {"cpu": "1m", "memory": "16Mi"}}}
    before = len(running(world))
    for number in range(before, PODS):
        assert created(space, pod(f"filler-{number}", small)) == ""
    assert "exceeded quota" in created(space, pod("one-too-many", small))
    assert created(world.outside.name, pod("one-too-many", small), dry=True) == ""
    names = [f"filler-{number}" for number in range(before, PODS)]
    subprocess.run(["kubectl", "delete", "pod", "--namespace", space, "--wait=false", *names], check=True)
    big = {"resources": {"limits": {"cpu": "64", "memory": "16Mi"}, "requests": {"cpu": "1m"}}}
    wide = {"resources": {"limits": {"cpu": "10m", "memory": "16Mi", "ephemeral-storage": "1Ti"}}}
    refused = {
        "a pod with more processors than its class allows": pod("big", big),
        "a pod with more of the node's disk than its class allows": pod("wide", wide),
        "a second load balancer": SECOND_BALANCER,
        "more ports of the node than its class allows": MANY_NODE_PORTS,
        "an Ingress beside its load balancer": SECOND_DOOR,
        "a volume larger than its class allows": LARGE_VOLUME,
    }
    for what, manifest in refused.items():
        assert "exceeded quota" in created(space, manifest, dry=True), what
        assert created(world.outside.name, manifest, dry=True) == "", what
    answers = {created(space, secret(number)).partition(":")[0] for number in range(OBJECTS)}
    assert "" in answers, "not even one"
    assert len(answers) == 2
    assert "exceeded quota" in created(space, secret(OBJECTS), dry=True)
    for number in range(OBJECTS + 1):
        assert created(world.outside.name, secret(number)) == ""
    a_pod_that_fills_the_disk_is_evicted(world)
    held = world.from_a({"connections": ("connections", 1000)})["connections"]
    count, _, reason = held.removeprefix("RuntimeError: ").partition(" held; ")
    assert 0 < int(count) <= CONNECTIONS, held
    assert reason.startswith("too many connections for role"), held
    outside = "a namespace without policies"
    return [
        row("one pod more than its class allows", outside, "quota"),
        *(row(what, outside, "quota") for what in refused),
        row("more Secrets than its class allows objects", outside, "quota"),
        row("to fill the node's disk", outside, "limits of containers that name none", "evicted"),
        row("1,000 connections to its database", "nobody", "connection limit of A's role", "denied but for its limit"),
    ]


def a_pod_that_fills_the_disk_is_evicted(world: World) -> None:
    assert created(world.outside.name, FILLER) == ""
    assert created(world.a.namespace, FILLER) == ""
    written = ("wait", "pod/disk-filler", "--for=condition=Ready", "--timeout=60s")
    world.outside.kubectl(*written)
    evicted = ("wait", "pod/disk-filler", "--for=jsonpath={.status.reason}=Evicted", "--timeout=180s")
    subprocess.run(["kubectl", "--namespace", world.a.namespace, *evicted], check=True)
    phase = ("get", "pod", "disk-filler", "--output=jsonpath={.status.phase}")
    assert world.outside.kubectl(*phase) == "Running"


def running(world: World) -> list[Any]:
    """Pods that count."""
    found: list[Any] = core(world.cluster).list_namespaced_pod(world.a.namespace).items
    return [pod for pod in found if pod.status.phase not in {"Succeeded", "Failed"}]
