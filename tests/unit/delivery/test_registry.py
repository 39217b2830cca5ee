"""The registry's HTTP API, spoken to a registry that lives in this process."""

import base64
import json
import ssl
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs

import httpx
import pytest

from deploytag.delivery.removal.docker_login import Login, credentials
from deploytag.delivery.removal.registry import NoDeletionError, Registry
from deploytag.errors import UnreachableError

DIGEST = "sha256:" + "a" * 64
LOGIN = "Basic " + base64.b64encode(b"user:secret").decode()

Answer = Callable[[httpx.Request], httpx.Response]


def registry(answer: Answer, environ: dict[str, str] | None = None, name: str = "registry.test") -> Registry:
    return Registry(name, environ or {}, httpx.MockTransport(answer))


def logged_in(folder: Path, **config: object) -> dict[str, str]:
    login = base64.b64encode(b"user:secret").decode()
    (folder / "config.json").write_text(json.dumps(config or {"auths": {"registry.test": {"auth": login}}}))
    return {"DOCKER_CONFIG": str(folder)}


def test_images_are_listed_page_by_page_and_by_digest() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        match request.method, request.url.path, request.url.params.get("last"):
            case "GET", "/v2/team/shop/app/tags/list", None:
                more = {"Link": '</v2/team/shop/app/tags/list?n=500&last=b>; rel="next"'}
                return httpx.Response(200, json={"tags": ["a", "b"]}, headers=more)
            case "GET", "/v2/team/shop/app/tags/list", "b":
                return httpx.Response(200, json={"tags": ["c", "vanished"]})
            case "HEAD", path, _:
                if path.endswith("vanished"):
                    return httpx.Response(404)
                letter = "b" if path.endswith("/c") else "a"
                return httpx.Response(200, headers={"Docker-Content-Digest": f"sha256:{letter * 64}"})
        return httpx.Response(200)

    it = registry(answer, name="registry.test/team")
    found = {image.digest[7]: (image.repository, image.tags) for image in it.images("shop/app")}
    assert found == {"a": ("shop/app", ("a", "b")), "b": ("shop/app", ("c",))}


def test_a_repository_that_is_not_there_has_no_images() -> None:
    it = registry(lambda request: httpx.Response(200 if request.url.path == "/v2/" else 404))
    assert it.images("shop/app") == []


def test_a_token_is_fetched_where_the_registry_says(tmp_path: Path) -> None:
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "auth.test":
            asked.append((request.headers.get("Authorization"), dict(request.url.params)))
            return httpx.Response(200, json={"token": "t0"})
        if request.url.path != "/v2/" and request.headers.get("Authorization") != "Bearer t0":
            challenge = 'Bearer realm="https://auth.test/token",service="registry.test"'
            return httpx.Response(401, headers={"WWW-Authenticate": challenge})
        return httpx.Response(202)

    it = registry(answer, logged_in(tmp_path))
    it.delete("shop/app", DIGEST)
    assert asked == [(LOGIN, {"scope": "repository:shop/app:pull,delete", "service": "registry.test"})]


def test_an_identity_token_is_exchanged(tmp_path: Path) -> None:
    """As `az acr login` leaves one."""
    asked = []
    nobody = base64.b64encode(b"00000000-0000-0000-0000-000000000000:").decode()
    environ = logged_in(tmp_path, auths={"registry.test": {"auth": nobody, "identitytoken": "refresh"}})

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "auth.test":
            form = parse_qs(request.content.decode())
            asked.append((request.method, request.headers.get("Authorization"), form["refresh_token"], form["scope"]))
            return httpx.Response(200, json={"access_token": "t0"})
        if request.url.path != "/v2/" and request.headers.get("Authorization") != "Bearer t0":
            challenge = 'Bearer realm="https://auth.test/token",service="registry.test"'
            return httpx.Response(401, headers={"WWW-Authenticate": challenge})
        return httpx.Response(202)

    it = registry(answer, environ)
    it.delete("shop/app", DIGEST)
    assert asked == [("POST", None, ["refresh"], ["repository:shop/app:pull,delete"])]


@pytest.mark.parametrize("to", ["https://elsewhere.test/token", "http://auth.test/token"])
def test_an_identity_token_follows_no_redirect(tmp_path: Path, to: str) -> None:
    asked = []
    environ = logged_in(tmp_path, auths={"registry.test": {"identitytoken": "refresh"}})

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        if request.url.host == "auth.test":
            return httpx.Response(307, headers={"Location": to})
        challenge = 'Bearer realm="https://auth.test/token",service="registry.test"'
        return httpx.Response(401, headers={"WWW-Authenticate": challenge})

    with pytest.raises(UnreachableError, match="HTTP 307"):
        registry(answer, environ).delete("shop/app", DIGEST)
    assert to not in asked


def test_a_login_is_sent_only_when_asked_for_and_only_over_tls(tmp_path: Path) -> None:
    seen = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append((request.url.scheme, request.headers.get("Authorization")))
        if request.url.path != "/v2/" and request.headers.get("Authorization") is None:
            return httpx.Response(401, headers={"WWW-Authenticate": 'Basic realm="registry"'})
        return httpx.Response(202)

    it = registry(answer, logged_in(tmp_path))
    it.delete("shop/app", DIGEST)
    assert seen == [("https", None), ("https", None), ("https", LOGIN)]


def test_a_registry_without_tls_gets_no_login(tmp_path: Path) -> None:
    seen = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.scheme == "https":
            wrong = ssl.SSLError(1, "wrong version number")
            wrong.reason = "WRONG_VERSION_NUMBER"
            raise httpx.ConnectError("wrong version number") from wrong
        seen.append(request.headers.get("Authorization"))
        if request.url.path == "/v2/":
            return httpx.Response(200)
        return httpx.Response(401, headers={"WWW-Authenticate": 'Basic realm="registry"'})

    it = registry(answer, logged_in(tmp_path))
    with pytest.raises(NoDeletionError):
        it.delete("shop/app", DIGEST)
    assert not any(seen)


@pytest.mark.parametrize("code", [403, 405])
def test_a_registry_that_deletes_nothing_is_named(code: int) -> None:
    it = registry(lambda request: httpx.Response(200 if request.url.path == "/v2/" else code))
    with pytest.raises(NoDeletionError, match="lifecycle rule"):
        it.delete("shop/app", DIGEST)


def test_deleting_what_is_gone_is_no_error() -> None:
    it = registry(lambda request: httpx.Response(200 if request.url.path == "/v2/" else 404))
    it.delete("shop/app", DIGEST)


def test_a_silent_registry_is_a_sentence() -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectTimeout("timed out")

    it = registry(answer)
    with pytest.raises(UnreachableError, match=r"registry\.test does not answer"):
        it.images("shop/app")


def test_credentials_come_from_dockers_configuration(tmp_path: Path) -> None:
    assert credentials("registry.test", {"DOCKER_CONFIG": str(tmp_path / "none")}) is None
    environ = logged_in(tmp_path)
    assert credentials("registry.test", environ) == Login("user", "secret")
    assert credentials("other.test", environ) is None


@pytest.mark.parametrize("key", ["credsStore", "credHelpers"])
def test_credentials_come_from_a_helper(tmp_path: Path, key: str) -> None:
    helper = tmp_path / "docker-credential-test"
    helper.write_text('#!/bin/sh\nread host; echo "{\\"Username\\": \\"$host\\", \\"Secret\\": \\"s\\"}"\n')
    helper.chmod(0o755)
    stale = {"registry.test": {"auth": base64.b64encode(b"user:of yesterday").decode()}}
    environ = logged_in(tmp_path, auths=stale, **{key: "test" if key == "credsStore" else {"registry.test": "test"}})
    found = credentials("registry.test", {**environ, "PATH": f"{tmp_path}:/usr/bin:/bin"})
    assert found == Login("registry.test", "s")
    helper.write_text('#!/bin/sh\necho "{\\"Username\\": \\"<token>\\", \\"Secret\\": \\"s\\"}"\n')
    found = credentials("registry.test", {**environ, "PATH": f"{tmp_path}:/usr/bin:/bin"})
    assert found == Login("<token>", "s", is_token=True)


@pytest.mark.parametrize(
    "text", ["[]", '{"auths": ["x"]}', '{"credHelpers": "x"}', '{"auths": {"registry.test": "x"}}']
)
def test_a_configuration_of_another_form_is_said_so(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(UnreachableError, match="cannot be read"):
        credentials("registry.test", {"DOCKER_CONFIG": str(tmp_path)})


def test_an_unreadable_configuration_is_not_repeated(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"auths": {"registry.test": {"auth": "hunter2')
    with pytest.raises(UnreachableError) as raised:
        credentials("registry.test", {"DOCKER_CONFIG": str(tmp_path)})
    assert "hunter2" not in str(raised.value)
