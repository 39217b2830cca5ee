"""What there is of every environment, asked with a person's tools: not with those that are tested."""

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import psycopg

from deploytag.delivery.world import World
from deploytag.identity import Identity
from deploytag.ownership import SYSTEM_NAMESPACE
from tests.files import below


@dataclass(frozen=True)
class Everything:
    """One look."""

    objects: tuple[Any, ...]
    """Namespaces, volumes and Services of the whole cluster."""
    entries: tuple[str, ...]
    """What DeployTag keeps in its own namespace, as `kind/name`."""
    databases: tuple[tuple[str, str], ...]
    """With their owners."""
    roles: tuple[str, ...]
    files: tuple[str, ...]
    """Of Pulumi's state, below its folder."""

    @classmethod
    def now(cls, environ: Mapping[str, str]) -> "Everything":
        listed = kubectl("namespaces,persistentvolumes,services", "--all-namespaces", "-o", "json")
        entries = kubectl("configmaps,leases", "-n", SYSTEM_NAMESPACE, "-o", "name")
        with psycopg.connect() as connection:
            databases = connection.execute("SELECT datname, pg_get_userbyid(datdba) FROM pg_database").fetchall()
            roles = connection.execute("SELECT rolname FROM pg_roles").fetchall()
        return cls(
            tuple(json.loads(listed)["items"]),
            tuple(entries.split()),
            tuple((name, owner) for name, owner in databases),
            tuple(name for (name,) in roles),
            tuple(files(environ["PULUMI_BACKEND_URL"])),
        )

    def of(self, identity: Identity) -> set[str]:
        """What is the identity's, by its names; but for its tombstone."""
        kept = {f"{identity.namespace}{ending}" for ending in ("", ".record", ".build-log")}
        folders = "|".join(("history", "backups", "locks/organization"))
        project, stack = re.escape(identity.project), re.escape(identity.stack)
        file = re.compile(rf"stacks/{project}/{stack}\.(json|pulumi-tags)\b.*|({folders})/{project}/{stack}/.*")
        return {
            *(said for it in self.objects if (said := _said_of(it, identity.namespace))),
            *(entry for entry in self.entries if entry.partition("/")[2] in kept),
            *(f"database {it}" for it, owner in self.databases if it == identity.database or owner == identity.role),
            *(f"role {it}" for it in self.roles if it == identity.role),
            *(f"state file {it}" for it in self.files if file.fullmatch(it)),
        }


def _said_of(it: Any, namespace: str) -> str | None:
    """What an object is, if it is that namespace, is claimed from it, or gives something in it an address."""
    name, spec = it["metadata"]["name"], it.get("spec", {})
    match it["kind"]:
        case "Namespace" if name == namespace:
            return f"namespace/{name}"
        case "PersistentVolume" if namespace in (name, spec.get("claimRef", {}).get("namespace")):
            return f"persistentvolume/{name}"
        case "Service" if spec["type"] == "LoadBalancer" and it["metadata"]["namespace"] == namespace:
            addresses = it["status"]["loadBalancer"].get("ingress", [])
            return f"load balancer {name} at {', '.join(address['ip'] for address in addresses)}"
    return None


def exists(identity: Identity, world: World) -> set[str]:
    """What exists of one identity, but for its tombstone."""
    return Everything.now(world.environ).of(identity)


def kubectl(*arguments: str) -> str:
    return subprocess.run(["kubectl", "get", *arguments], check=True, capture_output=True, text=True).stdout


def files(backend: str) -> Iterator[str]:
    """The files that are in a backend, below `.pulumi`."""
    url = urlsplit(backend)
    if url.scheme == "s3":
        root = f"{url.path.strip('/')}/.pulumi/"
        for it in boto3.resource("s3").Bucket(url.netloc).objects.filter(Prefix=root):
            yield it.key.removeprefix(root)
        return
    folder = Path(url.path) / ".pulumi"
    for kind in ("stacks", "history", "backups", "locks"):
        yield from (str(path.relative_to(folder)) for path in below(folder / kind) if path.is_file())
