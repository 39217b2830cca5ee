"""What a branch A tries that is B's, the cluster's or the node's; B is another branch of the same project."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx

from deploytag.administrator import Administrator
from tests.e2e.delivery.hostile import World, pod
from tests.e2e.typed import core

UNRESTRICTED, ITS_OWN, ADMINISTRATOR = "a pod without policies", "B's own pod", "the administrator"
ECHO_PORT = 7007
ECHO = f"""
import socket
it = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
it.bind(("", {ECHO_PORT}))
while True:
    it.sendto(*it.recvfrom(1))
"""
"""Answers datagrams."""
ECHO_SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "echo"},
    "spec": {"selector": {"app": "echo"}, "ports": [{"port": ECHO_PORT, "protocol": "UDP"}]},
}
STATEMENT_SECONDS = 3
"""What the class of this test allows a statement. An administrator may take five (`deploytag.preflight.database`)."""
DROPPED = "timed out"
"""What a client says of a packet that nobody answers: not refused, not unreachable."""


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


def network_attempts(world: World) -> list[Attempt]:
    """Connections that A must not be able to make."""
    b, node = world.b, world.pushing.checkout.environ["PGHOST"]
    web, redis = world.pod(b, "web").status.pod_ip, world.pod(b, "redis").status.pod_ip
    neighbour, echo = (core(world.cluster).read_namespaced_pod(it, world.outside.name) for it in ("neighbour", "echo"))
    service = core(world.cluster).read_namespaced_service(b.release, b.namespace)
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
        attempt("a pod of another namespace, by UDP", ("udp", echo.status.pod_ip, ECHO_PORT)),
        attempt(
            "a Service of another namespace, by UDP",
            ("udp", f"echo.{world.outside.name}.svc.cluster.local", ECHO_PORT),
        ),
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
        refused(
            "to let a statement run for longer than its class allows, without saying so",
            ("database", f"SELECT pg_sleep({STATEMENT_SECONDS + 1})"),
            denial="canceling statement due to statement timeout",
            stopped_by="statement timeout of A's role",
        ),
    ]


POD_ATTEMPTS: dict[str, dict[str, Any]] = {
    "a privileged pod": pod("attack", {"securityContext": {"privileged": True}}),
    "a pod with a directory of the node": pod("attack", volumes=[{"name": "host", "hostPath": {"path": "/"}}]),
    "a pod in the node's network": pod("attack", hostNetwork=True),
    "a pod that sees the node's processes": pod("attack", hostPID=True),
    "a pod that runs as root": pod("attack", securityContext={"runAsUser": 0}),
}
LARGE_VOLUME = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "attack"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Ti"}}},
}
SECOND_BALANCER = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "attack"},
    "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]},
}
MANY_NODE_PORTS = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "attack"},
    "spec": {"type": "NodePort", "ports": [{"name": f"p{port}", "port": port} for port in range(1, 12)]},
}
SECOND_DOOR = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "Ingress",
    "metadata": {"name": "attack"},
    "spec": {"defaultBackend": {"service": {"name": "attack", "port": {"number": 80}}}},
}
FILLER = pod(
    "disk-filler",
    {
        "command": ["sh", "-c", "head -c 200M /dev/zero > /data/file && sleep infinity"],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    },
    volumes=[{"name": "data", "emptyDir": {}}],
)
"""Fills the disk of its node by an emptyDir, and names no limits of its own."""


def secret(number: int) -> dict[str, Any]:
    """One of very many small objects."""
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": f"attack-{number}"}}
