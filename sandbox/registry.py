"""Ask a registry what it has."""

import httpx

from sandbox.errors import SandboxError

_MANIFESTS = ", ".join(
    (
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
    )
)


def digest(registry: str, name: str, tag: str) -> str | None:
    """The digest that `name:tag` stands for in the plain-http registry at `registry` (host:port), or None."""
    url = f"http://{registry}/v2/{name}/manifests/{tag}"
    try:
        answer = httpx.head(url, headers={"Accept": _MANIFESTS}, timeout=10, trust_env=False)
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        return answer.raise_for_status().headers["Docker-Content-Digest"]
    except (httpx.HTTPError, KeyError) as error:
        raise SandboxError(f"Asking the registry at {registry} for {name}:{tag} failed: {error}.") from error
