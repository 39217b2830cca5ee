"""Which services a run asks, where, and what it says when one does not answer."""

import asyncio
import json
import socket
from collections.abc import Mapping
from pathlib import Path

import pytest

from deploytag.errors import UnreachableError
from deploytag.preflight import cluster
from deploytag.preflight.endpoints import (
    Endpoint,
    aws_endpoint,
    builder_endpoint,
    database_endpoint,
    host_and_port,
    registry_endpoint,
)
from deploytag.preflight.reach import unreachable
from deploytag.settings import Cluster


@pytest.mark.parametrize(
    ("environ", "address"),
    [
        (
            {"AWS_ENDPOINT_URL_SECRETS_MANAGER": "http://sm.test:1", "AWS_ENDPOINT_URL": "http://aws.test:2"},
            "sm.test:1",
        ),
        ({"AWS_ENDPOINT_URL": "https://aws.test", "AWS_REGION": "eu-west-1"}, "aws.test:443"),
        ({"AWS_REGION": "eu-west-1"}, "secretsmanager.eu-west-1.amazonaws.com:443"),
        ({"AWS_DEFAULT_REGION": "eu-west-1"}, "secretsmanager.eu-west-1.amazonaws.com:443"),
        ({}, None),
    ],
)
def test_where_secrets_manager_is(environ: Mapping[str, str], address: str | None) -> None:
    endpoint = aws_endpoint(environ)
    assert (endpoint.address if endpoint else None) == address


def test_where_the_registry_and_the_database_are() -> None:
    assert registry_endpoint("registry.test").address == "registry.test:443"
    assert registry_endpoint("registry.test:5000/team").address == "registry.test:5000"
    assert database_endpoint({}).address == "localhost:5432"
    assert database_endpoint({"PGHOST": "db.test", "PGPORT": "6543"}).address == "db.test:6543"
    assert host_and_port("https://[::1]:6443") == "::1:6443"


def builder(folder: Path, content: object) -> dict[str, str]:
    (folder / "instances").mkdir()
    (folder / "instances" / "mine").write_text(content if isinstance(content, str) else json.dumps(content))
    return {"BUILDX_CONFIG": str(folder)}


@pytest.mark.parametrize(
    ("driver", "endpoint", "address"),
    [
        ("remote", "unix:///run/buildkit.sock", "unix:/run/buildkit.sock"),
        ("remote", "tcp://build.test:1234", "build.test:1234"),
        ("docker-container", "unix:///var/run/docker.sock", None),
    ],
)
def test_where_buildkit_is(tmp_path: Path, driver: str, endpoint: str, address: str | None) -> None:
    environ = builder(tmp_path, {"Driver": driver, "Nodes": [{"Endpoint": endpoint}]})
    found = builder_endpoint("mine", environ)
    assert (found.address if found else None) == address
    assert builder_endpoint(None, environ) is None


def test_a_builder_that_is_not_there_or_unreadable_is_named(tmp_path: Path) -> None:
    environ = builder(tmp_path, "{")
    with pytest.raises(UnreachableError, match="no builder other"):
        builder_endpoint("other", environ)
    with pytest.raises(UnreachableError, match="cannot be read as a buildx builder"):
        builder_endpoint("mine", environ)


def test_only_what_does_not_answer_is_said_and_how_it_is_configured(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # bound but not listening: refuses, and nobody else can take the port meanwhile
        answers = Endpoint("A", f"127.0.0.1:{listening.getsockname()[1]}", "SETTING_A")
        refuses = Endpoint("B", f"127.0.0.1:{bound.getsockname()[1]}", "SETTING_B")
        missing = Endpoint("C", f"unix:{tmp_path}/missing.sock", "SETTING_C")
        complaints = asyncio.run(unreachable([answers, refuses, missing]))
    assert [complaint[0] for complaint in complaints] == ["B", "C"]
    assert "SETTING_B" in complaints[0]
    assert "SETTING_C" in complaints[1]


@pytest.mark.parametrize(
    ("expected", "sentence"),
    [
        (Cluster(server="https://a.test:6443"), None),
        (Cluster(server="https://a.test:6443/"), None),
        (Cluster(server="https://b.test:6443"), "expects https://b.test:6443"),
        (Cluster(ca_sha256="0" * 64), None),
        (Cluster(ca_sha256="1" * 64), "expects " + "1" * 64),
        (Cluster(server="https://a.test:6443", ca_sha256="1" * 64), "expects " + "1" * 64),
    ],
)
def test_only_the_expected_cluster_is_touched(expected: Cluster, sentence: str | None) -> None:
    complaint = cluster.unexpected(expected, cluster.Current("https://a.test:6443", "0" * 64))
    assert (complaint is None) if sentence is None else (complaint is not None and sentence in complaint)


def test_no_kubeconfig_is_a_sentence(tmp_path: Path) -> None:
    for content in (None, "", "a: [", "apiVersion: v1\nkind: Config\n"):
        path = tmp_path / "config"
        if content is not None:
            path.write_text(content)
        with pytest.raises(UnreachableError, match="Set KUBECONFIG"):
            cluster.connect(str(path))
