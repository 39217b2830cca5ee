"""The digest of a tag, by the registry's HTTP API (distribution specification)."""

import base64
import hashlib
import re
from typing import TYPE_CHECKING

from sandbox.plugins.docker.image_name import ImageName
from sandbox.plugins.docker.settings import Endpoint
from sandbox.plugins.provider import NotFoundError, ProviderError, UnreachableError

if TYPE_CHECKING:
    import httpx

_SECONDS = 5.0
_MANIFESTS = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')


def digest(image: ImageName, endpoint: Endpoint, *, verify: bool = True) -> str:
    """Ask the registry which digest the tag has now."""
    import httpx  # noqa: PLC0415 (slow to import)

    try:
        with httpx.Client(timeout=_SECONDS, verify=verify, follow_redirects=True) as client:
            return _digest(client, image, endpoint)
    except httpx.HTTPError as error:
        raise UnreachableError(
            f"Cannot ask the registry {endpoint.address} for the digest of {image}: {error}. A registry without TLS "
            f"needs the setting docker:registryAuth [{{address: http://{image.registry}, authDisabled: true}}]."
        ) from None


def _digest(client: "httpx.Client", image: ImageName, endpoint: Endpoint) -> str:
    url = f"{endpoint.address}/v2/{image.repository}/manifests/{image.reference}"
    headers = {"Accept": _MANIFESTS, **_basic(endpoint)}
    # HEAD first: docker.io counts a GET as a pull.
    response = client.head(url, headers=headers)
    if response.status_code == 401 and response.headers.get("www-authenticate", "").startswith("Bearer"):
        headers["Authorization"] = f"Bearer {_token(client, response, image, endpoint)}"
        response = client.head(url, headers=headers)
    if response.status_code == 404:
        raise NotFoundError(f"The registry {endpoint.address} has no image {image.repository}, {image.reference}.")
    if response.status_code in (401, 403):
        raise ProviderError(
            f"The registry {endpoint.address} refuses access to {image.repository} (HTTP {response.status_code}). "
            "Logins come from docker:registryAuth or from Docker's config.json."
        )
    if not response.is_success:
        raise ProviderError(f"The registry {endpoint.address} answered HTTP {response.status_code} for {image}.")
    found = response.headers.get("docker-content-digest")
    if found:
        return str(found)
    whole = client.get(url, headers=headers)
    whole.raise_for_status()
    return str(whole.headers.get("docker-content-digest") or f"sha256:{hashlib.sha256(whole.content).hexdigest()}")


def _token(client: "httpx.Client", refusal: "httpx.Response", image: ImageName, endpoint: Endpoint) -> str:
    challenge = dict(_CHALLENGE.findall(refusal.headers["www-authenticate"]))
    if "realm" not in challenge:
        raise ProviderError(f"The registry {endpoint.address} asks for a token but does not say where to get it.")
    query = {"scope": challenge.get("scope") or f"repository:{image.repository}:pull"}
    if "service" in challenge:
        query["service"] = challenge["service"]
    response = client.get(challenge["realm"], params=query, headers=_basic(endpoint))
    if not response.is_success:
        raise ProviderError(
            f"The registry {endpoint.address} gives no token for {image} (HTTP {response.status_code})."
        )
    answer = response.json()
    return str(answer.get("token") or answer.get("access_token") or "")


def _basic(endpoint: Endpoint) -> dict[str, str]:
    if not endpoint.username:
        return {}
    login = base64.b64encode(f"{endpoint.username}:{endpoint.password}".encode()).decode()
    return {"Authorization": f"Basic {login}"}
