"""The image registry's HTTP API (the OCI distribution specification): list tags, ask digests, delete, try a push.

Credentials are sent over TLS only.
"""

import re
import ssl
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from deploytag.delivery.fetch import EndlessError, fetch, why
from deploytag.delivery.removal.docker_login import Login, credentials
from deploytag.delivery.removal.image_gc import StoredImage
from deploytag.documents import DocumentError, parse_json
from deploytag.errors import DeployTagError, UnreachableError

SECONDS = 20.0
"""How long one question may take, with all of its answer."""
AT_ONCE = 8
"""So many questions are asked at the same time."""

MANIFESTS = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
LARGEST_ANSWER = 4 << 20
"""Bytes: what the distribution specification lets a manifest have."""
MOST_PAGES = 1000
"""Of 500 tags each."""

_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')


class NoDeletionError(DeployTagError):
    """The registry does not delete by this API: ECR and others have lifecycle rules for that."""


class Registry:
    """One registry, and below it the repositories of one team."""

    def __init__(
        self, name: str, environ: Mapping[str, str], transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        """`name` is as in the stack's config: `registry.example.com:5000`, or `ghcr.io/team`."""
        self._host, _, prefix = name.partition("/")
        self._prefix = f"{prefix}/" if prefix else ""
        self._environ = environ
        self._transport = transport
        self._base = ""
        self._login: Login | None = None
        self._tokens: dict[tuple[str, str], str] = {}

    def images(self, repository: str) -> list[StoredImage]:
        """Everything that has a tag in a repository; nothing when there is no such repository.

        Raises:
            UnreachableError: the registry does not answer, or refuses.
        """
        self._connect()
        full = self._prefix + repository
        tags = list(self._tags(full))
        with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
            digests = dict(zip(tags, pool.map(lambda tag: self._digest(full, tag), tags), strict=True))
        by_digest: dict[str, list[str]] = {}
        for tag, digest in sorted(digests.items()):
            if digest is not None:
                by_digest.setdefault(digest, []).append(tag)
        return [StoredImage(repository, digest, tuple(found)) for digest, found in by_digest.items()]

    def delete(self, repository: str, digest: str) -> None:
        """Delete a manifest with all its tags; one that is gone is no error. The registry frees the space by itself.

        Raises:
            NoDeletionError: the registry does not let anybody delete.
            UnreachableError: it does not answer.
        """
        self._connect()
        full = self._prefix + repository
        answer = self._ask("DELETE", f"/v2/{full}/manifests/{digest}", full, "pull,delete")
        if answer.status_code in {400, 401, 403, 405}:
            raise NoDeletionError(
                f"the registry {self._host} does not let this user delete {repository} (HTTP {answer.status_code}). "
                "Allow it, or give the repository a lifecycle rule of the registry's own."
            )
        if answer.status_code != 404:
            self._expect(answer, f"to delete {repository}@{digest[:19]}")

    def try_push(self, repository: str) -> int:
        """Begin the upload of a layer, and take it back: the HTTP status of the beginning, 202 when it is allowed.

        Raises:
            UnreachableError: the registry does not answer.
        """
        self._connect()
        full = self._prefix + repository
        answer = self._ask("POST", f"/v2/{full}/blobs/uploads/", full, "pull,push")
        if answer.status_code == 202 and (location := answer.headers.get("Location")):
            upload = httpx.URL(f"{self._base}/v2/").join(location)
            # Not every registry can take it back (405); it forgets an upload that stays empty. A store elsewhere is not
            # asked: our token is the registry's.
            if upload.netloc == httpx.URL(self._base).netloc:
                self._ask("DELETE", upload.raw_path.decode(), full, "pull,push")
        return answer.status_code

    def _tags(self, repository: str) -> Iterator[str]:
        path: str | None = f"/v2/{repository}/tags/list?n=500"
        for _ in range(MOST_PAGES):
            if path is None:
                return
            answer = self._ask("GET", path, repository)
            if answer.status_code == 404:
                return
            self._expect(answer, f"for the tags of {repository}")
            match self._document(answer):
                case {"tags": [*tags]}:
                    # A name that is none would lead to another place of the registry.
                    yield from (tag for tag in tags if isinstance(tag, str) and _TAG.fullmatch(tag))
            link = answer.links.get("next", {}).get("url")
            path = self._next(link) if link else None

        raise UnreachableError(
            f"the registry {self._host} was asked for the tags of {repository}, and does not come to an end."
        )

    def _next(self, link: str) -> str:
        """The path of a next page: on this registry, whatever host the link names."""
        try:
            return httpx.URL(self._base).join(link).raw_path.decode()
        except (httpx.InvalidURL, ValueError):
            raise UnreachableError(f"the registry {self._host} names a next page that is no address.") from None

    def _document(self, answer: httpx.Response) -> Any:
        try:
            return parse_json(answer.content)
        except DocumentError as error:
            raise UnreachableError(f"the registry {self._host} answers with what is no JSON: {error}.") from None

    def _digest(self, repository: str, tag: str) -> str | None:
        answer = self._ask("HEAD", f"/v2/{repository}/manifests/{tag}", repository)
        if answer.status_code == 404:  # deleted meanwhile
            return None
        self._expect(answer, f"for the digest of {repository}:{tag}")
        digest = answer.headers.get("Docker-Content-Digest", "")
        return digest if _DIGEST.fullmatch(digest) else None

    def _expect(self, answer: httpx.Response, asked: str) -> None:
        if not answer.is_success:
            raise UnreachableError(
                f"the registry {self._host} was asked {asked} and answered HTTP {answer.status_code}. Credentials come "
                "from Docker's config.json: `docker login`."
            )

    def _connect(self) -> None:
        """Find out whether it speaks TLS. Where it does not, nobody logs in."""
        if self._base:
            return
        for base in (f"https://{self._host}", f"http://{self._host}"):
            try:
                self._fetch("GET", f"{base}/v2/")
            except httpx.ConnectError as error:
                if base.startswith("https") and _speaks_plainly(error):
                    continue
                raise self._silent(error) from None
            except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
                raise self._silent(error) from None
            self._base = base
            self._login = credentials(self._host, self._environ) if base.startswith("https") else None
            return

    def _ask(self, method: str, path: str, repository: str, actions: str = "pull") -> httpx.Response:
        answer = self._send(method, self._base + path, self._headers(repository, actions))
        if answer.status_code == 401:
            self._authenticate(answer, repository, actions)
            answer = self._send(method, self._base + path, self._headers(repository, actions))
        return answer

    def _send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        params: Mapping[str, str] | None = None,
        *,
        form: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """One question; its answer is read within its limits, however slowly it comes.

        Raises:
            UnreachableError: there is none.
        """
        try:
            return self._fetch(method, url, headers, params, form)
        except EndlessError:
            raise UnreachableError(f"the image registry {self._host} does not end its answer.") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._silent(error) from None
        except (UnicodeError, ValueError):  # what a registry says in a challenge or a token becomes a part of a request
            raise UnreachableError(f"the image registry {self._host} says what cannot be sent back to it.") from None

    def _fetch(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        return fetch(
            method,
            url,
            seconds=SECONDS,
            largest=LARGEST_ANSWER,
            headers=headers,
            params=params,
            form=form,
            # A form is a login: it goes where it was meant to, and to nobody whom an answer names.
            redirects=form is None,
            transport=self._transport,
        )

    def _headers(self, repository: str, actions: str) -> dict[str, str]:
        token = self._tokens.get((repository, actions))
        return {"Accept": MANIFESTS, **({"Authorization": token} if token else {})}

    def _authenticate(self, refusal: httpx.Response, repository: str, actions: str) -> None:
        """Take what the registry asks for: a token from where it says, or the login itself."""
        challenge = refusal.headers.get("WWW-Authenticate", "")
        login = self._login.header if self._login else {}
        if not challenge.lower().startswith("bearer"):
            self._tokens[repository, actions] = login.get("Authorization", "")
            return
        asked = dict(_CHALLENGE.findall(challenge))
        realm = asked.get("realm", "")
        query = {"scope": f"repository:{repository}:{actions}"}
        if service := asked.get("service"):
            query["service"] = service
        if not realm.startswith("https://"):
            answer = self._send("GET", realm, {}, query)
        elif self._login and self._login.is_token:
            # Docker's "OAuth 2 token authentication" of a registry; Azure's wants it.
            grant = {"grant_type": "refresh_token", "client_id": "deploytag", "refresh_token": self._login.password}
            answer = self._send("POST", realm, {}, form=query | grant)
        else:
            answer = self._send("GET", realm, login, query)
        self._expect(answer, f"for a token to {actions} {repository}")
        match self._document(answer):
            case {"token": str(token)} | {"access_token": str(token)}:
                self._tokens[repository, actions] = f"Bearer {token}"
            case _:
                raise UnreachableError(f"the registry {self._host} gives no token to {actions} {repository}.")

    def _silent(self, error: Exception) -> UnreachableError:
        return UnreachableError(f"the image registry {self._host} does not answer: {why(error)}.")


def _speaks_plainly(error: httpx.ConnectError) -> bool:
    """Whether a TLS handshake failed because the other side answered in plain HTTP."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLError):
        cause = cause.__cause__ or cause.__context__
    return isinstance(cause, ssl.SSLError) and cause.reason in {
        "WRONG_VERSION_NUMBER",
        "RECORD_LAYER_FAILURE",
        "HTTP_REQUEST",
    }
