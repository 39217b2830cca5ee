"""From a pod of branch A: everything that is not A's is tried, and denied; everything that is A's works.

That something does not answer proves nothing, so the same is also tried from a place where it is allowed: a pod in a
namespace without policies, or B's own pod. The results are the table in docs/security.md; `make attempts` writes it.
"""

import json
import subprocess
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from deploytag.administrator import Administrator
from deploytag.delivery.cluster import Cluster
from deploytag.identity import Identity
from deploytag.preflight.database import connect
from tests.e2e.delivery.charts import IMAGE, Namespace, namespace
from tests.e2e.delivery.pushing import Pushing, pushing
from tests.e2e.program.checkout import REPOSITORY

pytestmark = pytest.mark.e2e

ATTACKER = (Path(__file__).parent / "attacker.py").read_text()
PAGE = REPOSITORY / "docs/security.md"
BEGIN, END = "<!-- attempts: made by tests/e2e/delivery/test_attack.py -->", "<!-- /attempts -->"

UNRESTRICTED, ITS_OWN, ADMINISTRATOR = "a pod without policies", "B's own pod", "the administrator"
DROPPED = "timed out"
"""What a client says of a packet that nobody answers: not refused, not unreachable."""
PODS, CONNECTIONS = 8, 20


@dataclass(frozen=True)
class Attempt:
    """Something that A must not be able to do."""

    what: str
    call: tuple[Any, ...]
    denial: str
    """What A is told."""
    allowed_for: str
    stopped_by: str
    machine: bool = False
    """Whether it is this machine's affair that there is anything at all; if not, nothing is shown."""


@dataclass
class World:
    """Two branches of one project, and a namespace that is no environment."""

    pushing: Pushing
    cluster: Cluster
    a: Identity
    b: Identity
    outside: Namespace
    url: dict[str, str]

    def pod(self, identity: Identity, component: str) -> Any:
        """The one pod of a component that runs."""
        selector = (
            f"app.kubernetes.io/component={component}" if component != "redis" else "app.kubernetes.io/name=redis"
        )
        found: list[Any] = self.cluster.core.list_namespaced_pod(
            identity.namespace, label_selector=selector, field_selector="status.phase=Running"
        ).items
        return next(pod for pod in found if not pod.metadata.deletion_timestamp)

    def tried(self, namespace: str, target: str, calls: dict[str, tuple[Any, ...]]) -> dict[str, str]:
        """The outcome of each, from the pod `target`."""
        done = subprocess.run(
            ["kubectl", "exec", "--stdin", "--namespace", namespace, target, "--", "python3", "-", json.dumps(calls)],
            input=ATTACKER,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        outcomes: dict[str, str] = json.loads(done.stdout)
        return outcomes

    def from_a(self, calls: dict[str, tuple[Any, ...]]) -> dict[str, str]:
        return self.tried(self.a.namespace, f"deployment/{self.a.release}-web", calls)

    def from_b(self, calls: dict[str, tuple[Any, ...]]) -> dict[str, str]:
        return self.tried(self.b.namespace, f"deployment/{self.b.release}-web", calls)

    def from_outside(self, calls: dict[str, tuple[Any, ...]]) -> dict[str, str]:
        return self.tried(self.outside.name, "pod/tools", calls)


@pytest.fixture
def world(tmp_path: Path, cluster: Cluster) -> Iterator[World]:
    with pushing(tmp_path) as it, namespace(tmp_path) as outside:
        settings = yaml.safe_load((it.path / "deploytag.yaml").read_text())
        (it.path / "deploytag.yaml").write_text(yaml.safe_dump({**settings, "tests": None}))
        it.checkout.policy(limits={"pods": PODS, "database_connections": CONNECTIONS})
        a, b = it.identity("feature/attack-a"), it.identity("feature/attack-b")
        url = {}
        for identity in (a, b):
            it.push(identity.ref)
            url[identity.ref] = it.report("deploy", identity.ref)["url"]
        world = World(it, cluster, a, b, outside, url)
        image = world.pod(a, "web").spec.containers[0].image
        for name, container in {
            "tools": {"image": image, "command": ["sleep", "infinity"]},
            "neighbour": {"image": "redis:7", "command": ["redis-server", "--protected-mode", "no"]},
        }.items():
            created(outside.name, pod(name, container))
        outside.kubectl("wait", "--for=condition=Ready", "pod/tools", "pod/neighbour", "--timeout=60s")
        yield world


def pod(name: str, container: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """A pod as Pod Security `restricted` wants it, but for what is said otherwise."""
    hardened = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    main = {"name": "main", "image": IMAGE, "command": ["sleep", "infinity"], "securityContext": hardened}
    secure = {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "securityContext": secure,
            "containers": [{**main, **(container or {})}],
            **spec,
        },
    }


def created(space: str, manifest: dict[str, Any], *, dry: bool = False) -> str:
    """Create an object as the administrator of the cluster; why it was refused, or nothing.

    A dry run goes through every admission, and leaves nothing.
    """
    command = ["kubectl", "create", "--namespace", space, "-f", "-", *(["--dry-run=server"] if dry else [])]
    done = subprocess.run(command, input=json.dumps(manifest), capture_output=True, text=True, check=False)
    return done.stderr.strip() if done.returncode else ""


def network_attempts(world: World) -> list[Attempt]:
    """Connections that A must not be able to make."""
    b, node = world.b, world.pushing.checkout.environ["PGHOST"]
    web, redis = world.pod(b, "web").status.pod_ip, world.pod(b, "redis").status.pod_ip
    neighbour: Any = world.cluster.core.read_namespaced_pod("neighbour", world.outside.name)
    service: Any = world.cluster.core.read_namespaced_service(b.release, b.namespace)
    balancer = httpx.URL(world.url[b.ref])
    attempt = partial(Attempt, denial=DROPPED, allowed_for=UNRESTRICTED, stopped_by="network policy of A")
    both = partial(attempt, allowed_for=ITS_OWN, stopped_by="network policies of A and of B")
    names = f"{b.release}.{b.namespace}.svc.cluster.local"
    return [
        attempt("B's web pod, by its address", ("tcp", web, 8080)),
        attempt("B's Service, by its name", ("tcp", names, 80)),
        attempt("B's load balancer", ("tcp", balancer.host, balancer.port or 80)),
        attempt("B's Service, by its port on the node", ("tcp", node, service.spec.ports[0].node_port)),
        both("B's Redis", ("tcp", redis, 6379)),
        attempt("a pod of another namespace", ("tcp", neighbour.status.pod_ip, 6379)),
        attempt("the API server, by its Service", ("tcp", "kubernetes.default.svc.cluster.local", 443)),
        attempt("the API server, on the node", ("tcp", node, 6443)),
        attempt("the kubelet", ("tcp", node, 10250)),
        attempt("the image registry, on the node", ("tcp", node, 5000)),
        attempt("the AWS endpoint, on the node", ("tcp", node, 4566)),
        attempt("the cloud's metadata address", ("tcp", "169.254.169.254", 80), machine=True),
    ]


def database_attempts(world: World) -> list[Attempt]:
    """What A must not be able to do at the database server, which it may reach."""
    b, select = world.b, "SELECT 1"
    refused = partial(Attempt, denial="permission denied", allowed_for=ADMINISTRATOR, stopped_by="rights of A's role")
    its = partial(refused, allowed_for=ITS_OWN, stopped_by="CONNECT is the owner's alone")
    return [
        its("B's database, with A's role", ("database", select, {"dbname": b.database})),
        its(
            "B's role, with A's password",
            ("database", select, {"dbname": b.database, "user": b.role}),
            denial="password authentication failed",
            stopped_by="a password of its own for each role",
        ),
        refused("the database postgres", ("database", select, {"dbname": "postgres"})),
        refused("to make a role", ("database", f"CREATE ROLE {b.role}_guest")),
        refused("to make a database", ("database", f"CREATE DATABASE {b.database}_copy")),
        refused(
            "to become the administrator",
            ("database", f"SET ROLE {Administrator.from_environ(world.pushing.checkout.environ).user}"),
        ),
        refused(
            "to read a file of the server", ("database", "SELECT pg_read_file('/etc/passwd')"), allowed_for="nobody"
        ),
        refused(
            "to run a program on the server",
            ("database", "COPY (SELECT 1) TO PROGRAM 'true'"),
            denial="must be superuser or have privileges of the pg_execute_server_program role",
            allowed_for="nobody",
        ),
    ]


POD_ATTEMPTS: dict[str, dict[str, Any]] = {
    "a privileged pod": pod("attack", {"securityContext": {"privileged": True}}),
    "a pod with a directory of the node": pod("attack", volumes=[{"name": "host", "hostPath": {"path": "/"}}]),
    "a pod in the node's network": pod("attack", hostNetwork=True),
    "a pod that sees the node's processes": pod("attack", hostPID=True),
    "a pod that runs as root": pod("attack", securityContext={"runAsUser": 0}),
}
SECOND_BALANCER = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "attack"},
    "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]},
}


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
    assert "exceeded quota" in created(space, pod("big", big), dry=True)
    assert "exceeded quota" in created(space, SECOND_BALANCER, dry=True)
    for manifest in (pod("big", big), SECOND_BALANCER):
        assert created(world.outside.name, manifest, dry=True) == ""
    held = world.from_a({"connections": ("connections", 1000)})["connections"]
    count, _, reason = held.removeprefix("RuntimeError: ").partition(" held; ")
    assert 0 < int(count) <= CONNECTIONS, held
    assert reason.startswith("too many connections for role"), held
    outside = "a namespace without policies"
    return [
        row("one pod more than its class allows", outside, "quota"),
        row("a pod with more processors than its class allows", outside, "quota"),
        row("a second load balancer", outside, "quota"),
        row("1,000 connections to its database", "nobody", "connection limit of A's role", "denied but for its limit"),
    ]


def running(world: World) -> list[Any]:
    """Pods that count."""
    found: list[Any] = world.cluster.core.list_namespaced_pod(world.a.namespace).items
    return [pod for pod in found if pod.status.phase not in {"Succeeded", "Failed"}]
