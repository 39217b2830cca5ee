"""Images without layers in the sandbox's registry, and whether one is there."""

import hashlib
import json

import httpx

from sandbox import registry

REGISTRY = "172.30.0.1:5000"
CONFIG = "application/vnd.oci.image.config.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"

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


def stored(project: str, reference: str) -> bool:
    """Whether the registry has this image of the project's application, by its digest or a tag."""
    return registry.digest(REGISTRY, f"{project}/app", reference) is not None


def is_stored(image: str) -> bool:
    """Whether its registry has an image or a cache, `host/name:tag`."""
    host, _, name = image.partition("/")
    repository, _, tag = name.partition(":")
    return registry.digest(host, repository, tag) is not None
