"""The offline docker plugin against a small registry of this test's own."""

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from sandbox.plugins.docker.image_name import ImageName
from sandbox.plugins.docker.provider import GET_REGISTRY_IMAGE, DockerProvider
from sandbox.plugins.docker.settings import Settings
from sandbox.plugins.provider import InvalidInputError, InvokeRequest, NotFoundError, Properties, ProviderError

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "registry", "repository", "reference"),
    [
        ("debian", "docker.io", "library/debian", "latest"),
        ("debian:bookworm-slim", "docker.io", "library/debian", "bookworm-slim"),
        ("docker.io/library/redis:7", "docker.io", "library/redis", "7"),
        ("grafana/grafana", "docker.io", "grafana/grafana", "latest"),
        ("index.docker.io/redis:7", "docker.io", "library/redis", "7"),
        ("10.0.0.1:5000/base:1", "10.0.0.1:5000", "base", "1"),
        ("localhost/base", "localhost", "base", "latest"),
        ("registry.test/a/b/c:1", "registry.test", "a/b/c", "1"),
        (f"registry.test/a@{DIGEST}", "registry.test", "a", DIGEST),
        (f"registry.test:5000/a:1@{DIGEST}", "registry.test:5000", "a", DIGEST),
    ],
)
def test_names_are_read_as_docker_reads_them(text: str, registry: str, repository: str, reference: str) -> None:
    assert ImageName.parse(text) == ImageName(registry, repository, reference)


@pytest.mark.parametrize("text", ["", "debian:", "registry.test/", "debian@"])
def test_a_name_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match="is no name of an image"):
        ImageName.parse(text)


class Registry(BaseHTTPRequestHandler):
    """Serves `open/app:1` to everybody, `basic/app:1` by password and `token/app:1` by token."""

    seen: ClassVar[list[str]] = []

    def do_HEAD(self) -> None:
        self.seen.append(self.path)
        authorization = self.headers.get("Authorization", "")
        kind = self.path.split("/")[2]
        if kind == "basic" and authorization != "Basic " + base64.b64encode(b"me:hush").decode():
            self.answer(401, {"WWW-Authenticate": 'Basic realm="registry"'})
        elif kind == "token" and authorization != "Bearer issued":
            realm = f"http://{self.headers['Host']}/token"
            self.answer(
                401, {"WWW-Authenticate": f'Bearer realm="{realm}",service="s",scope="repository:token/app:pull"'}
            )
        elif self.path.endswith("/missing"):
            self.answer(404, {})
        elif kind == "silent":
            self.answer(200, {})
        else:
            self.answer(200, {"Docker-Content-Digest": DIGEST})

    def do_GET(self) -> None:
        if self.path.startswith("/token?"):
            self.answer(200, {}, json.dumps({"token": "issued"}).encode())
        else:
            self.answer(200, {}, b"{}")

    def answer(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def registry() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def _no_configuration_of_the_caller(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    for variable in ("DOCKER_REGISTRY_USER", "DOCKER_REGISTRY_PASS", "DEPLOYTAG_DOCKER_MIRROR"):
        monkeypatch.delenv(variable, raising=False)


def ask(name: str, auths: list[dict[str, object]] | None = None, **arguments: object) -> Properties:
    provider = DockerProvider()
    provider.configure({"registryAuth": json.dumps(auths or []), "disableDockerDaemonCheck": "true"})
    return provider.invoke(InvokeRequest(GET_REGISTRY_IMAGE, {"name": name, **arguments}, preview=False))


def plain(registry: str, **auth: object) -> list[dict[str, object]]:
    return [{"address": f"http://{registry}", **auth}]


def test_the_digest_is_id_and_output(registry: str) -> None:
    name = f"{registry}/open/app:1"

    assert ask(name, plain(registry, authDisabled=True)) == {
        "id": DIGEST,
        "sha256Digest": DIGEST,
        "name": name,
        "insecureSkipVerify": False,
    }


def test_a_registry_is_asked_by_tls_unless_the_settings_say_otherwise(registry: str) -> None:
    with pytest.raises(ProviderError, match=f"https://{registry}.*address: http://{registry}"):
        ask(f"{registry}/open/app:1")


def test_keys_of_a_plain_python_dictionary_are_understood(registry: str) -> None:
    assert ask(f"{registry}/open/app:1", plain(registry, auth_disabled=True))["id"] == DIGEST


def test_a_registry_that_sends_no_digest_is_asked_for_the_manifest(registry: str) -> None:
    empty_object = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"

    assert ask(f"{registry}/silent/app:1", plain(registry))["id"] == empty_object


def test_a_missing_tag_is_named(registry: str) -> None:
    with pytest.raises(NotFoundError, match="has no image open/app, missing"):
        ask(f"{registry}/open/app:missing", plain(registry))


@pytest.mark.parametrize("kind", ["basic", "token"])
def test_a_registry_may_ask_for_a_login(registry: str, kind: str) -> None:
    login = plain(registry, username="me", password="hush")

    assert ask(f"{registry}/{kind}/app:1", login)["id"] == DIGEST


def test_a_login_may_come_from_dockers_configuration(registry: str, tmp_path: Path) -> None:
    auth = base64.b64encode(b"me:hush").decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {registry: {"auth": auth}}}))

    assert ask(f"{registry}/basic/app:1", plain(registry))["id"] == DIGEST


def test_a_refused_login_is_no_absence_and_shows_no_password(registry: str) -> None:
    with pytest.raises(ProviderError, match="refuses access") as caught:
        ask(f"{registry}/basic/app:1", plain(registry, username="me", password="wrong-one"))

    assert not isinstance(caught.value, NotFoundError)
    assert "wrong-one" not in str(caught.value)


def test_docker_hub_may_be_mirrored(registry: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEPLOYTAG_DOCKER_MIRROR", f"http://{registry}")
    Registry.seen.clear()

    assert ask("debian:bookworm-slim")["id"] == DIGEST
    assert Registry.seen == ["/v2/library/debian/manifests/bookworm-slim"]


def test_docker_hub_itself_has_its_own_address() -> None:
    assert Settings.read({}, {}).endpoint("docker.io").address == "https://registry-1.docker.io"


def test_other_functions_and_resources_are_refused_with_the_way_to_the_official_plugin() -> None:
    provider = DockerProvider()

    with pytest.raises(InvalidInputError, match=r"getNetwork.*DEPLOYTAG_PLUGINS"):
        provider.invoke(InvokeRequest("docker:index/getNetwork:getNetwork", {}, preview=False))
    with pytest.raises(InvalidInputError, match=r"Container.*DEPLOYTAG_PLUGINS"):
        provider.resource("docker:index/container:Container")


def test_unknown_arguments_and_settings_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="platform"):
        ask("debian", platform="linux/arm64")
    with pytest.raises(InvalidInputError, match="colour"):
        ask("debian", [{"address": "registry.test", "colour": "red"}])
    assert [failure.property for failure in DockerProvider().check_config({"certPath": "/x"})] == ["certPath"]
