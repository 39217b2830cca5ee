"""All the looks together, against servers of this test: nobody is waited for for long, and a chart must give a URL."""

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from threading import Event, Thread

import pytest

from deploytag.administrator import Administrator
from deploytag.delivery.cluster import open_cluster
from deploytag.errors import ContentError, UnreachableError
from deploytag.identity import identify
from deploytag.preflight import Target, addresses, chart, check, cluster, database
from deploytag.preflight.doors import wrong_door
from deploytag.preflight.patience import ask
from deploytag.settings import Cluster, Isolation, Network

IDENTITY = identify("shop", "feature/test")


@contextmanager
def silent_server() -> Iterator[int]:
    """A port of a server that takes connections and says nothing."""
    # The kernel takes connections for a socket that listens, whether or not anybody calls accept().
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (cluster, database):
        monkeypatch.setattr(module, "TIMEOUT", 1)
    monkeypatch.setattr(cluster, "LOGIN", 1)


@pytest.fixture
def helm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A helm command that prints what is written into `rendered` beside it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "helm").write_text('#!/bin/sh\ncat "${0%/*}/rendered"\n')
    (folder / "helm").chmod(0o755)
    (folder / "rendered").write_text(service())
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    return folder


def service(name: str = IDENTITY.release, kind: str = "LoadBalancer") -> str:
    return json.dumps({"kind": "Service", "metadata": {"name": name}, "spec": {"type": kind}})


def target(tmp_path: Path, port: int) -> tuple[Target, dict[str, str]]:
    """A deployment for which everything is at one port of this machine, without a database."""
    server = f"http://127.0.0.1:{port}"
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(
        json.dumps(
            {
                "current-context": "a",
                "clusters": [{"name": "a", "cluster": {"server": server}}],
                "users": [{"name": "a", "user": {}}],
                "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
            }
        )
    )
    return (
        Target(
            identity=IDENTITY,
            cluster=Cluster(server=server),
            registry=f"127.0.0.1:{port}",
            builder=None,
            chart=tmp_path,
            values={},
            administrator=None,
            needs_secrets=False,
            isolation=Isolation(),
        ),
        {"KUBECONFIG": str(kubeconfig), "PGHOST": "127.0.0.1", "PGPORT": str(port), "PGUSER": "admin"},
    )


def test_an_api_server_that_takes_connections_but_is_silent_is_a_sentence(
    tmp_path: Path, hasty: None, helm: Path
) -> None:
    with silent_server() as port:
        wanted, environ = target(tmp_path, port)
        with pytest.raises(UnreachableError, match=f"API server at http://127.0.0.1:{port} .* said nothing for 1 s"):
            asyncio.run(check(wanted, environ))


def test_a_database_server_that_takes_connections_but_is_silent_is_a_sentence(
    tmp_path: Path, hasty: None, helm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "TIMEOUT", 30)
    with silent_server() as port:
        wanted, environ = target(tmp_path, port)
        with pytest.raises(UnreachableError, match=rf"PostgreSQL at 127\.0\.0\.1:{port} .* said nothing for 1 s"):
            asyncio.run(check(replace(wanted, administrator=Administrator.from_environ(environ)), environ))


def test_the_api_servers_public_addresses_are_not_the_internet_of_a_chart(
    tmp_path: Path, helm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def found(server: str) -> tuple[Network, ...]:
        assert server == wanted.cluster.server
        return (ip_network("8.8.8.8"),)

    to_it = {
        "kind": "NetworkPolicy",
        "metadata": {"name": "own"},
        "spec": {"egress": [{"to": [{"ipBlock": {"cidr": "8.8.8.0/24"}}]}]},
    }
    (helm / "rendered").write_text(f"{service()}\n---\n{json.dumps(to_it)}\n")
    monkeypatch.setattr(addresses, "networks_of_api_server", found)
    with silent_server() as port:
        wanted, environ = target(tmp_path, port)
        with pytest.raises(ContentError, match=r"NetworkPolicy own lets pods connect to 8\.8\.8\.0/24"):
            asyncio.run(check(wanted, environ))


def test_a_credential_command_that_does_not_end_is_a_sentence(tmp_path: Path, hasty: None) -> None:
    with silent_server() as port:
        wanted, environ = target(tmp_path, port)
        path = Path(environ["KUBECONFIG"])
        content = json.loads(path.read_text())
        content["users"][0]["user"] = {
            "exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "sleep", "args": ["3"]}
        }
        path.write_text(json.dumps(content))
        with pytest.raises(UnreachableError, match="names for its credentials has not ended within 1 s"):
            asyncio.run(check(wanted, environ))
        with pytest.raises(UnreachableError, match="names for its credentials has not ended within 1 s"):
            open_cluster(wanted.cluster, environ)


def test_the_administrator_connects_to_its_own_database(hasty: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not to the one named like the user, as libpq would."""
    monkeypatch.setenv("PGSSLMODE", "disable")
    received = bytearray()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def startup() -> None:
            with server.accept()[0] as connection:
                received.extend(connection.recv(4096))

        thread = Thread(target=startup)
        thread.start()
        administrator = Administrator("127.0.0.1", server.getsockname()[1], "admin")
        with pytest.raises(UnreachableError, match=r"administrator admin \(database postgres at 127\.0\.0\.1:"):
            database.owner_and_role(administrator, IDENTITY)
        thread.join()
    assert b"user\0admin\0database\0postgres\0" in bytes(received)


def test_nobody_waits_for_a_question_that_was_given_up() -> None:
    answered = Event()
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        asyncio.run(ask(0.1, lambda: answered.wait(30)))
    assert time.monotonic() - started < 10
    answered.set()
    assert asyncio.run(ask(30, lambda: 3)) == 3


@pytest.mark.parametrize(
    ("documents", "complaint"),
    [
        ([], "its Services are: none"),
        ([{"kind": "Service", "metadata": {"name": "web"}}, None, "text"], "its Services are: web"),
        ([{"kind": "Service", "metadata": {"name": "shop"}}], "of type ClusterIP"),
        ([{"kind": "Deployment", "metadata": {"name": "shop"}}], "its Services are: none"),
        ([{"kind": "Service", "metadata": {"name": "shop"}, "spec": {"type": "LoadBalancer"}}], None),
    ],
)
def test_a_chart_must_have_a_service_that_gives_the_url(documents: list[object], complaint: str | None) -> None:
    said = wrong_door("shop", documents, None)
    assert (said is None) if complaint is None else (said is not None and complaint in said)


def test_what_helm_renders_is_looked_at(helm: Path) -> None:
    chart.check(helm, IDENTITY.release, IDENTITY.namespace, {}, Isolation())
    for rendered, sentence in ((service(kind="NodePort"), "of type NodePort"), ("a: [", "does not render to YAML")):
        (helm / "rendered").write_text(f"---\n# a comment alone\n---\n{rendered}\n")
        with pytest.raises(ContentError, match=sentence):
            chart.check(helm, IDENTITY.release, IDENTITY.namespace, {}, Isolation())


def test_helms_own_complaint_is_passed_on(helm: Path) -> None:
    (helm / "helm").write_text("#!/bin/sh\necho 'Error: no such chart' >&2\nexit 1\n")
    with pytest.raises(ContentError, match="the chart does not render, nothing was touched: no such chart"):
        chart.check(helm, IDENTITY.release, IDENTITY.namespace, {}, Isolation())


def test_a_helm_that_does_not_end_is_a_sentence(helm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (helm / "helm").write_text("#!/bin/sh\nexec sleep 30\n")
    monkeypatch.setattr(chart, "TIMEOUT", 0.2)
    with pytest.raises(ContentError, match="not rendered within"):
        chart.check(helm, IDENTITY.release, IDENTITY.namespace, {}, Isolation())


def test_no_helm_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnreachableError, match=r"Install Helm 3 \(https://helm\.sh/docs/intro/install/\)"):
        chart.check(tmp_path, IDENTITY.release, IDENTITY.namespace, {}, Isolation())
