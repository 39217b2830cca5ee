"""Whether images can be pushed, tried at a registry of this test's own."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest

from deploytag.delivery.doctor import registry
from deploytag.delivery.doctor.findings import Finding, Level
from deploytag.delivery.project import Project, PulumiProject
from deploytag.errors import SettingsError, UnreachableError
from deploytag.remote import Remote
from deploytag.settings import Policy
from deploytag.trust import InForce

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


def project(host: str | None, **cls: str) -> Project:
    pulumi = PulumiProject(
        name="shop", runtime="python", config={"registry": {"type": "string", "default": host or ""}}
    )
    plain = {"secrets": [], "database": False, "migrations": False}
    classes = {"feature": {"pattern": "feature/*", **plain}, "main": {"pattern": "main", **plain, **cls}}
    policy = Policy.model_validate({"cluster": {"server": "https://cluster.test:6443"}, "classes": classes})
    trusted = InForce(policy, b"", "the test", Remote(Path(), "nowhere"))
    return Project(Path(), pulumi, SettingsError("unused"), trusted)


def levels(findings: Iterator[Finding]) -> list[Level]:
    return [finding.level for finding in findings]


def test_an_upload_is_begun_and_taken_back(tmp_path: Path) -> None:
    answers = {"POST": (202, {"Location": "/v2/upload/17?state=x"}), "DELETE": (204, {})}
    with plain_registry(answers) as (host, asked):
        assert levels(registry.pushes(project(host), {"HOME": str(tmp_path)})) == [Level.OK, Level.OK]
    assert asked == [
        "GET /v2/",
        *("POST /v2/shop/base/blobs/uploads/", "DELETE /v2/upload/17?state=x"),
        *("POST /v2/shop/app/blobs/uploads/", "DELETE /v2/upload/17?state=x"),
    ]


def test_a_class_may_have_a_repository_of_its_own(tmp_path: Path) -> None:
    with plain_registry({"POST": (403, {})}) as (host, asked):
        findings = list(registry.pushes(project(host, image_repository="shop-main"), {"HOME": str(tmp_path)}))
    assert [finding.seen for finding in findings] == [
        f"{host}/{path}: pushing is forbidden" for path in ("shop/base", "shop/app", "shop-main/base", "shop-main/app")
    ]
    assert asked[-1] == "POST /v2/shop-main/app/blobs/uploads/"


@pytest.mark.parametrize(("code", "said"), [(401, "nobody is logged in"), (403, "forbidden"), (404, "no such repo")])
def test_a_refusal_is_a_problem(tmp_path: Path, code: int, said: str) -> None:
    with plain_registry({"POST": (code, {})}) as (host, _):
        first, _second = registry.pushes(project(host), {"HOME": str(tmp_path)})
    assert (first.level, said in first.seen) == (Level.PROBLEM, True)


def test_a_password_is_not_sent_without_tls(tmp_path: Path) -> None:
    with plain_registry({"POST": (401, {"WWW-Authenticate": "Basic"})}) as (host, asked):
        (tmp_path / "config.json").write_text(json.dumps({"auths": {host: {"auth": LOGIN}}}))
        findings = list(registry.pushes(project(host), {"DOCKER_CONFIG": str(tmp_path)}))
    assert [finding.seen.partition(": ")[2] for finding in findings] == ["nobody is logged in, or not any more"] * 2
    assert not any("Basic" in request or "Bearer" in request for request in asked)


def test_a_token_is_fetched_where_the_registry_wants_one(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"auths": {"registry.test": {"auth": LOGIN}}}))
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(f"{request.method} {request.url.host}")
        if request.url.host == "auth.test":
            assert request.headers["Authorization"] == f"Basic {LOGIN}"
            assert request.url.params["scope"].endswith(":pull,push")
            return httpx.Response(200, json={"token": "short-lived"})
        if request.headers.get("Authorization") == "Bearer short-lived":
            # The upload is somewhere else, and the registry's token does not go there.
            return httpx.Response(202, headers={"Location": "https://store.test/upload/1"})
        challenge = 'Bearer realm="https://auth.test/token",service="registry.test"'
        return httpx.Response(401, headers={"WWW-Authenticate": challenge})

    environ = {"DOCKER_CONFIG": str(tmp_path)}
    assert levels(registry.pushes(project("registry.test"), environ, httpx.MockTransport(answer))) == [Level.OK] * 2
    assert "POST registry.test" in asked
    assert not any("store.test" in request for request in asked)


def test_no_registry_is_a_sentence() -> None:
    with pytest.raises(SettingsError, match="gives the config `registry` no default"):
        list(registry.pushes(project(None), {}))


def test_a_registry_that_is_not_there_is_a_sentence() -> None:
    with pytest.raises(UnreachableError, match=r"the image registry 127\.0\.0\.1:1 does not answer"):
        list(registry.pushes(project("127.0.0.1:1"), {}))
