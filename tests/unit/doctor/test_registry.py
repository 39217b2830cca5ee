"""Whether images can be pushed, tried at a registry of this test's own."""

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest

from deploytag.delivery.doctor import registry
from deploytag.delivery.doctor.findings import Finding, Level
from deploytag.delivery.project import PulumiProject
from deploytag.errors import SettingsError, UnreachableError

LOGIN = base64.b64encode(b"robot:s3cret").decode()


@contextmanager
def plain_registry(answers: dict[str, tuple[int, dict[str, str]]]) -> Iterator[tuple[str, list[str]]]:
    """A registry without TLS. `answers` are by method; what was asked is listed."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            asked.append(f"{self.command} {self.path} {self.headers.get('Authorization', '')}".strip())
            code, headers = answers.get(self.command, (200, {}))
            self.send_response(code)
            for name, value in {"Docker-Distribution-Api-Version": "registry/2.0", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST = do_DELETE = answer

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}", asked
        server.shutdown()


def project(host: str | None) -> PulumiProject:
    return PulumiProject(name="shop", runtime="python", config={"registry": {"type": "string", "default": host or ""}})


def levels(findings: Iterator[Finding]) -> list[Level]:
    return [finding.level for finding in findings]


def test_an_upload_is_begun_and_taken_back(tmp_path: Path) -> None:
    answers = {"POST": (202, {"Location": "/v2/upload/17?state=x"}), "DELETE": (204, {})}
    with plain_registry(answers) as (host, asked):
        assert levels(registry.pushes(project(host), {"HOME": str(tmp_path)})) == [Level.OK, Level.OK]
    assert asked == [
        f"{method} {path}"
        for image in ("base", "app")
        for method, path in (
            ("GET", "/v2/"),
            ("POST", f"/v2/shop/{image}/blobs/uploads/"),
            ("DELETE", "/v2/upload/17?state=x"),
        )
    ]


@pytest.mark.parametrize(("code", "said"), [(401, "nobody is logged in"), (403, "forbidden"), (404, "no such repo")])
def test_a_refusal_is_a_problem(tmp_path: Path, code: int, said: str) -> None:
    with plain_registry({"POST": (code, {})}) as (host, _):
        first, _second = registry.pushes(project(host), {"HOME": str(tmp_path)})
    assert (first.level, said in first.seen) == (Level.PROBLEM, True)


def test_a_password_is_not_sent_without_tls(tmp_path: Path) -> None:
    with plain_registry({"POST": (401, {"WWW-Authenticate": "Basic"})}) as (host, asked):
        (tmp_path / "config.json").write_text(json.dumps({"auths": {host: {"auth": LOGIN}}}))
        findings = list(registry.pushes(project(host), {"DOCKER_CONFIG": str(tmp_path)}))
    assert [finding.level for finding in findings] == [Level.PROBLEM, Level.PROBLEM]
    assert not any("Basic" in request or "Bearer" in request for request in asked)


def https(answer: Callable[[httpx.Request], httpx.Response]) -> httpx.Client:
    return httpx.Client(transport=httpx.MockTransport(answer))


def test_a_token_is_fetched_where_the_registry_wants_one(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"auths": {"registry.test": {"auth": LOGIN}}}))

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "auth.test":
            assert request.headers["Authorization"] == f"Basic {LOGIN}"
            assert request.url.params["scope"] == "repository:shop/base:pull,push"
            return httpx.Response(200, json={"token": "short-lived"})
        if request.headers.get("Authorization") == "Bearer short-lived":
            return httpx.Response(202 if request.method == "POST" else 204, headers={"Location": "/v2/u"})
        challenge = 'Bearer realm="https://auth.test/token",service="registry.test"'
        return httpx.Response(401, headers={"WWW-Authenticate": challenge})

    with https(answer) as http:
        found = registry._pushes(http, "registry.test/shop/base", {"DOCKER_CONFIG": str(tmp_path)})
    assert found.level is Level.OK


def test_a_realm_without_tls_gets_no_password(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"auths": {"registry.test": {"auth": LOGIN}}}))

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.host == "registry.test"
        return httpx.Response(401, headers={"WWW-Authenticate": 'Bearer realm="http://evil.test/token"'})

    with https(answer) as http:
        found = registry._pushes(http, "registry.test/shop/base", {"DOCKER_CONFIG": str(tmp_path)})
    assert (found.level, "nobody is logged in" in found.seen) == (Level.PROBLEM, True)


def test_no_registry_is_a_sentence() -> None:
    with pytest.raises(SettingsError, match="gives the config `registry` no default"):
        list(registry.pushes(project(None), {}))


def test_a_registry_that_is_not_there_is_a_sentence() -> None:
    with pytest.raises(UnreachableError, match=r"the registry 127\.0\.0\.1:1 does not answer"):
        list(registry.pushes(project("127.0.0.1:1"), {}))


def test_credentials_come_from_dockers_file_or_its_helper(tmp_path: Path) -> None:
    environ = {"DOCKER_CONFIG": str(tmp_path), "PATH": f"{tmp_path}:/usr/bin:/bin"}
    assert registry.credentials("registry.test", environ) is None
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"auths": {"registry.test": {"auth": LOGIN}}}))
    assert registry.credentials("registry.test", environ) == registry.Login("robot", "s3cret")
    assert registry.credentials("other.test", environ) is None
    config.write_text(json.dumps({"credHelpers": {"registry.test": "vault"}}))
    with pytest.raises(UnreachableError, match="docker-credential-vault, which is not on PATH"):
        registry.credentials("registry.test", environ)
    helper = tmp_path / "docker-credential-vault"
    helper.write_text(
        '#!/bin/sh\nread -r host\n[ "$host" = registry.test ] && echo \'{"Username":"u","Secret":"p"}\'\n'
    )
    helper.chmod(0o755)
    assert registry.credentials("registry.test", environ) == registry.Login("u", "p")


def test_a_password_is_never_shown(tmp_path: Path) -> None:
    assert "s3cret" not in repr(registry.Login("robot", "s3cret"))
    (tmp_path / "config.json").write_text('{"auths": {"registry.test": {"auth": "s3cret"')
    with pytest.raises(UnreachableError, match="cannot be read") as raised:
        registry.credentials("registry.test", {"DOCKER_CONFIG": str(tmp_path)})
    assert "s3cret" not in str(raised.value)


def test_docker_hub_has_names_of_its_own() -> None:
    assert registry.Repository.of("docker.io/acme/shop/base").host == "registry-1.docker.io"
    assert registry.Repository.of("ghcr.io/acme/shop/base").path == "acme/shop/base"
