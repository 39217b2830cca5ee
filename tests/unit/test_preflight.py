"""Which services a run asks, where, and what it says when one does not answer."""

import asyncio
import hashlib
import json
import socket
import ssl
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import pytest

from deploytag.address import HostPort
from deploytag.administrator import Administrator
from deploytag.errors import SettingsError, UnreachableError
from deploytag.preflight import cluster
from deploytag.preflight.endpoints import (
    Endpoint,
    aws_endpoint,
    builder_endpoint,
    database_endpoint,
    registry_endpoint,
)
from deploytag.preflight.reach import unreachable
from deploytag.settings import Cluster

CA = ssl.DER_cert_to_PEM_cert(b"a certificate")
CA_SHA256 = hashlib.sha256(b"a certificate").hexdigest()


def kubeconfig(server: str, *more: str) -> str:
    cluster = "\n".join(f"    {line}" for line in (f"server: {server}", *more) if line)
    return (
        f"current-context: a\nclusters:\n- name: a\n  cluster:\n{cluster}\nusers: [{{name: a, user: {{}}}}]\n"
        "contexts: [{name: a, context: {cluster: a, user: a}}]\n"
    )


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
        ({"AWS_REGION": "cn-north-1"}, "secretsmanager.cn-north-1.amazonaws.com.cn:443"),
        ({"AWS_PROFILE": "staging"}, None),
        ({}, None),
    ],
)
def test_where_secrets_manager_is(environ: Mapping[str, str], address: str | None) -> None:
    endpoint = aws_endpoint(environ)
    assert (str(endpoint.address) if endpoint else None) == address


@pytest.mark.parametrize("url", ["localhost:5000", "http://localhost:port", "https://"])
def test_an_aws_endpoint_that_is_no_url_names_its_variable(url: str) -> None:
    with pytest.raises(SettingsError, match="AWS_ENDPOINT_URL cannot be used"):
        aws_endpoint({"AWS_ENDPOINT_URL": url})


@pytest.mark.parametrize(
    "registry", ["https://registry.test", "registry.test:abc", "registry.test:/team", ":5000", "a..test"]
)
def test_a_registry_that_is_no_host_is_a_sentence(registry: str) -> None:
    with pytest.raises(SettingsError, match="config `registry` cannot be used"):
        registry_endpoint(registry, {})


def test_where_the_registry_and_the_database_are() -> None:
    assert str(registry_endpoint("registry.test", {}).address) == "registry.test:443"
    assert str(registry_endpoint("registry.test:5000/team", {}).address) == "registry.test:5000"
    assert str(database_endpoint(Administrator("db.test", 6543)).address) == "db.test:6543"
    assert str(database_endpoint(Administrator("/run/db")).address) == "/run/db/.s.PGSQL.5432"


PROXIES = {
    "HTTPS_PROXY": "http://user:hunter2@proxy.test:3128",
    "http_proxy": "plain.test:80",
    "NO_PROXY": ".near.test",
}


@pytest.mark.parametrize(
    ("registry", "address"), [("registry.test", "proxy.test:3128"), ("registry.near.test", "registry.near.test:443")]
)
def test_a_proxy_is_asked_in_place_of_the_registry(registry: str, address: str) -> None:
    endpoint = registry_endpoint(registry, PROXIES)
    assert str(endpoint.address) == address
    assert ("the proxy to the image registry" in endpoint.service) == (address == "proxy.test:3128")
    assert "hunter2" not in f"{endpoint}"


def test_a_proxy_is_asked_in_place_of_aws() -> None:
    for url, variable in (("http://aws.test", "http_proxy"), ("https://aws.test", "HTTPS_PROXY")):
        endpoint = aws_endpoint(PROXIES | {"AWS_ENDPOINT_URL": url})
        assert endpoint is not None
        assert endpoint.configured_by.startswith(variable)
    region = aws_endpoint(PROXIES | {"AWS_REGION": "eu-west-1"})
    assert region is not None
    assert str(region.address) == "proxy.test:3128"


def test_a_proxy_that_is_no_address_is_said_without_its_password() -> None:
    with pytest.raises(SettingsError, match="HTTPS_PROXY cannot be used") as raised:
        registry_endpoint("registry.test", {"HTTPS_PROXY": "http://user:hunter2@proxy.test:port"})
    assert "hunter2" not in str(raised.value)


def builder(folder: Path, content: object) -> dict[str, str]:
    (folder / "instances").mkdir()
    (folder / "instances" / "mine").write_text(content if isinstance(content, str) else json.dumps(content))
    return {"BUILDX_CONFIG": str(folder)}


@pytest.mark.parametrize(
    ("driver", "endpoint", "address"),
    [
        ("remote", "unix:///run/buildkit.sock", "/run/buildkit.sock"),
        ("remote", "docker-container://buildkitd", None),
        ("remote", "tcp://build.test:1234", "build.test:1234"),
        ("docker-container", "unix:///var/run/docker.sock", None),
    ],
)
def test_where_buildkit_is(tmp_path: Path, driver: str, endpoint: str, address: str | None) -> None:
    environ = builder(tmp_path, {"Driver": driver, "Nodes": [{"Endpoint": endpoint}]})
    found = builder_endpoint("mine", environ)
    assert (str(found.address) if found else None) == address
    assert builder_endpoint(None, environ) is None


def test_a_builder_that_is_not_there_or_unreadable_is_named(tmp_path: Path) -> None:
    environ = builder(tmp_path, "{")
    with pytest.raises(UnreachableError, match="no builder other"):
        builder_endpoint("other", environ)
    for content in ("{", "[]", "3", '{"Driver": "remote", "Nodes": []}', '{"Driver": "remote", "Nodes": ["x"]}'):
        (tmp_path / "instances" / "mine").write_text(content)
        with pytest.raises(UnreachableError, match="cannot be read as a buildx builder"):
            builder_endpoint("mine", environ)
    (tmp_path / "instances" / "mine").write_text('{"Driver": "remote", "Nodes": [{"Endpoint": "tcp://build.test"}]}')
    with pytest.raises(UnreachableError, match=r"'build\.test' names no port"):
        builder_endpoint("mine", environ)


def test_only_what_does_not_answer_is_said_and_how_it_is_configured(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # bound but not listening: refuses, and nobody else can take the port meanwhile
        answers = Endpoint("A", HostPort("127.0.0.1", listening.getsockname()[1]), "SETTING_A")
        refuses = Endpoint("B", HostPort("127.0.0.1", bound.getsockname()[1]), "SETTING_B")
        missing = Endpoint("C", PurePosixPath(tmp_path / "missing.sock"), "SETTING_C")
        nonsense = Endpoint("D", HostPort("a..b", 1), "SETTING_D")
        complaints = asyncio.run(unreachable([answers, refuses, missing, nonsense]))
    assert [complaint[0] for complaint in complaints] == ["B", "C", "D"]
    assert "SETTING_B" in complaints[0]
    assert "SETTING_C" in complaints[1]


@pytest.mark.parametrize(
    ("expected", "sentence"),
    [
        (Cluster(server="https://a.test:6443"), None),
        (Cluster(server="https://a.test:6443/"), None),
        (Cluster(server="https://b.test:6443"), "expects https://b.test:6443"),
        (Cluster(ca_sha256=CA_SHA256), None),
        (Cluster(ca_sha256="1" * 64), "expects " + "1" * 64),
        (Cluster(server="https://a.test:6443", ca_sha256="1" * 64), "expects " + "1" * 64),
    ],
)
def test_only_the_expected_cluster_is_touched(expected: Cluster, sentence: str | None, tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_text(f"subject=CN = an ünüsual name\n{CA}")
    complaint = cluster.unexpected(expected, cluster.Current("https://a.test:6443", str(ca)))
    assert (complaint is None) if sentence is None else (complaint is not None and sentence in complaint)


def test_every_ca_that_is_trusted_must_be_the_expected_one(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_text(CA + ssl.DER_cert_to_PEM_cert(b"another"))
    current = cluster.Current("https://a.test:6443", str(ca))
    assert CA_SHA256 in (cluster.unexpected(Cluster(ca_sha256=CA_SHA256), current) or "")
    assert "none in the kubeconfig" in (
        cluster.unexpected(Cluster(ca_sha256=CA_SHA256), cluster.Current("https://a.test:6443", None)) or ""
    )


@pytest.mark.parametrize("content", ["", "no certificate", f"{ssl.PEM_HEADER}\nä!\n{ssl.PEM_FOOTER}\n"])
def test_a_ca_that_is_no_certificate_matters_only_to_a_policy_that_names_one(tmp_path: Path, content: str) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_text(content)
    current = cluster.Current("https://a.test:6443", str(ca))
    assert cluster.unexpected(Cluster(server="https://a.test:6443"), current) is None
    with pytest.raises(UnreachableError, match="the CA of the kubeconfig"):
        cluster.unexpected(Cluster(ca_sha256=CA_SHA256), current)


@pytest.mark.parametrize(
    "content",
    [
        None,
        "",
        "a: [",
        "apiVersion: v1\nkind: Config\n",
        "- a list",
        "current-context: a\ncontexts: 3\n",
        kubeconfig("3"),
        kubeconfig("host.test:6443"),
        kubeconfig("https://host.test:port"),
        kubeconfig("https://host.test", "proxy-url: nonsense://127.0.0.1:1"),
    ],
)
def test_no_usable_kubeconfig_is_a_sentence(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "config"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UnreachableError, match="Set KUBECONFIG"):
        cluster.connect(str(path))


def with_command(folder: Path, script: str) -> str:
    """A kubeconfig whose user is what `script` prints."""
    command = {"apiVersion": "client.authentication.k8s.io/v1", "command": "sh", "args": ["-c", script]}
    path = folder / "config"
    path.write_text(kubeconfig("https://host.test").replace("user: {}", f"user: {json.dumps({'exec': command})}"))
    return str(path)


def test_a_command_that_gives_no_credentials_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match=r"`sh -c exit 7`, which .* gave none"):
        cluster.connect(with_command(tmp_path, "exit 7"))


@pytest.mark.parametrize(
    ("given", "headers"),
    [
        ({"token": "t0"}, {"authorization": "Bearer t0"}),
        ({"clientCertificateData": "PEM", "clientKeyData": "PEM"}, {}),
    ],
)
def test_what_a_command_gives_is_used(tmp_path: Path, given: dict[str, str], headers: dict[str, str]) -> None:
    said = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": given}
    (tmp_path / "said").write_text(json.dumps(said))
    api, _ = cluster.connect(with_command(tmp_path, f"cat {tmp_path}/said"))
    sent: dict[str, str] = {}
    api.client.update_params_for_auth(sent, [], ["BearerToken"], "/", "GET", None)
    assert sent == headers
    assert bool(api.client.configuration.cert_file) == (not headers)


@pytest.mark.parametrize(
    ("environ", "more", "asked"),
    [
        ({}, "", "host.test:443"),
        ({}, "proxy-url: http://127.0.0.1:3128", None),
        ({"HTTPS_PROXY": "http://proxy.test:3128"}, "", "proxy.test:3128"),
        ({"HTTPS_PROXY": "http://proxy.test:3128"}, "proxy-url: http://127.0.0.1:3128", None),
        ({"HTTPS_PROXY": "http://proxy.test:3128", "NO_PROXY": "host.test"}, "", "host.test:443"),
    ],
)
def test_an_api_server_is_asked_where_the_client_asks_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], more: str, asked: str | None
) -> None:
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    path = tmp_path / "config"
    (tmp_path / "ca.pem").write_text(CA)
    path.write_text(kubeconfig("https://host.test", f"certificate-authority: {tmp_path}/ca.pem", more))
    _, current = cluster.connect(str(path))
    endpoint = cluster.endpoint(current, str(path), environ)
    assert (str(endpoint.address) if endpoint else None) == asked


def test_a_ca_that_is_not_verified_is_none(tmp_path: Path) -> None:
    path = tmp_path / "config"
    (tmp_path / "ca.pem").write_text(CA)
    for more, named in (("", True), ("insecure-skip-tls-verify: true", False)):
        path.write_text(kubeconfig("https://host.test", f"certificate-authority: {tmp_path}/ca.pem", more))
        _, current = cluster.connect(str(path))
        assert (current.ca_file is not None) == named
