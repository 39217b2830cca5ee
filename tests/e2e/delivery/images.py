"""Images without layers in the sandbox's registry, and whether one is there."""

import hashlib
import json

import httpx

REGISTRY = "172.30.0.1:5000"
CONFIG = "application/vnd.oci.image.config.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
MANIFESTS = ", ".join(
    (
        MANIFEST,
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
"""What a registry may answer with when it is asked for a manifest."""

# Safe for threads; a client of its own for each request takes longer than the request.
_client = httpx.Client(timeout=60)


def push(project: str, tag: str) -> str:
    """An image of the project's application; its digest."""
    url = f"http://{REGISTRY}/v2/{project}/app"
    config = json.dumps({"architecture": "amd64", "os": "linux", "tag": tag}).encode()
    blob = f"sha256:{hashlib.sha256(config).hexdigest()}"
    place = _client.post(f"{url}/blobs/uploads/").raise_for_status().headers["Location"]
    _client.put(httpx.URL(place).copy_merge_params({"digest": blob}), content=config).raise_for_status()
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": CONFIG, "digest": blob, "size": len(config)},
        "layers": [],
    }
    headers = {"Content-Type": MANIFEST}
    pushed = _client.put(f"{url}/manifests/{tag}", content=json.dumps(manifest), headers=headers)
    return str(pushed.raise_for_status().headers["Docker-Content-Digest"])


def stored(project: str, digest: str) -> bool:
    """Whether the registry has this image of the project's application."""
    return is_stored(f"{REGISTRY}/{project}/app@{digest}")


def is_stored(image: str) -> bool:
    """Whether its registry has an image or a cache, `host/name:tag` or `host/name@digest`.

    Raises:
        httpx.HTTPStatusError: it says neither yes nor no.
    """
    host, _, name = image.partition("/")
    repository, _, reference = name.partition("@") if "@" in name else name.partition(":")
    answer = _client.head(f"http://{host}/v2/{repository}/manifests/{reference}", headers={"Accept": MANIFESTS})
    return answer.status_code != 404 and bool(answer.raise_for_status())
