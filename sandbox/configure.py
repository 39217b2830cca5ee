"""Writes every generated file, and knows whether the running sandbox was started from the same ones."""

import datetime
import hashlib
import json
import resource
import secrets
import shlex
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sandbox import directory
from sandbox.config import NODE, Config
from sandbox.errors import SandboxError
from sandbox.layout import Layout
from sandbox.render import render
from sandbox.services import Part, parts
from sandbox.versions import pinned

SOURCE = Path(__file__).parent
RIGHTS = SOURCE.parent / "docs" / "reference" / "rights.yaml"
"""What whoever deploys may do in the cluster, as the documentation ships it."""
BUILDER = "deploytag"
# Code of ours that runs inside: when it changes, what runs is out of date.
RUNNING = ("init.py", "loadbalancer.py", "allocation.py", "database.py", "aws_server.py", "snapshots.py")


@dataclass(frozen=True)
class Caller:
    """What the files take from whoever runs `up`."""

    python: str
    open_files: int

    @classmethod
    def here(cls) -> "Caller":
        """This process."""
        return cls(sys.executable, min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 65536))


def files(
    config: Config, layout: Layout, toolchain: Path, resolv_conf: str, caller: Caller | None = None
) -> dict[Path, str]:
    """The content of every generated file below `etc`."""
    caller = caller or Caller.here()
    values = {"config": config, "layout": layout, "node": NODE, "pause": pinned("images", "pause")}

    def text(name: str, **more: object) -> str:
        return render(f"{name}.j2", **values, **more)

    hosts = text("hosts.toml")
    running = parts(config, layout, toolchain, caller.python)
    generated = {
        "supervisord.conf": text(
            "supervisord.conf",
            parts=running,
            command=lambda part: _escaped(shlex.join(part.command)),
            environment=lambda part: _escaped(_environment(part, layout, toolchain)),
            open_files=caller.open_files,
        ),
        "containerd.toml": text("containerd.toml"),
        "certs.d/docker.io/hosts.toml": hosts,
        f"certs.d/{config.registry}/hosts.toml": hosts,
        "cni/pods.conflist": text("cni.conflist"),
        "kubelet.yaml": text("kubelet.yaml"),
        "kube-proxy.yaml": text("kube-proxy.yaml"),
        "Corefile": text("Corefile"),
        "registry.yaml": text("registry.yaml"),
        "buildkitd.toml": text("buildkitd.toml", buildx_registry=text("buildx.toml")),
        "postgresql.conf": text("postgresql.conf"),
        "pg_hba.conf": text("pg_hba.conf"),
        "cluster.yaml": text("cluster.yaml"),
        "resolv.conf": resolv_conf,
    }
    return {layout.etc / name: content for name, content in generated.items()}


def fingerprint(config: Config, layout: Layout, toolchain: Path, resolv_conf: str) -> str:
    """Differs when a restart is needed: another configuration, or other code of ours inside.

    Who runs `up` does not count: a second clone of the same content must not stop the sandbox under the first one's
    tests.
    """
    digest = hashlib.sha256()
    for path, content in sorted(files(config, layout, toolchain, resolv_conf, Caller("python", 0)).items()):
        digest.update(f"{path}\0{content}\0".encode())
    for path in (*(SOURCE / name for name in RUNNING), RIGHTS):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def write(config: Config, layout: Layout, generated: Mapping[Path, str]) -> None:
    """Make the directories, write the files, and make the keys and passwords that are missing."""
    directory.claim(layout)
    shutil.rmtree(layout.temporary, ignore_errors=True)
    for name in (
        "logs",
        "tmp",
        "database",
        "volumes",
        "containerd",
        "kubelet",
        "registry",
        "aws",
        "pulumi",
        "state",
        "docker",
    ):
        (layout.root / name).mkdir(parents=True, exist_ok=True)
    for path, content in generated.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    from sandbox import pki  # noqa: PLC0415 - cryptography; an `up` of what runs needs none

    pki.prepare(config, layout, datetime.datetime.now(datetime.UTC))
    if not layout.database_password.exists():
        temporary = layout.database_password.with_suffix(".new")
        temporary.touch(mode=0o600)
        temporary.write_text(secrets.token_urlsafe(18))
        temporary.replace(layout.database_password)
    instance = layout.buildx / "instances" / BUILDER
    instance.parent.mkdir(parents=True, exist_ok=True)
    instance.write_text(_builder(layout))


def _builder(layout: Layout) -> str:
    """The file by which buildx knows our BuildKit. A remote builder takes no `Files`: BuildKit itself is configured."""
    node = {
        "Name": f"{BUILDER}0",
        "Endpoint": layout.buildkit_host,
        "Platforms": None,
        "DriverOpts": None,
        "Flags": None,
        "Files": None,
    }
    return json.dumps({"Name": BUILDER, "Driver": "remote", "Nodes": [node], "Dynamic": False}, indent=2)


def _environment(part: Part, layout: Layout, toolchain: Path) -> str:
    values = {
        "PATH": f"{toolchain}:/usr/sbin:/usr/bin:/sbin:/bin",
        "TMPDIR": str(layout.temporary),
        **part.environment,
    }
    return ",".join(f'{name}="{value}"' for name, value in values.items())


def _escaped(text: str) -> str:
    # Supervisord expands %(...)s.
    return text.replace("%", "%%")


def nameservers(resolv_conf: str) -> list[str]:
    """The IPv4 nameservers a resolv.conf names."""
    lines = [line.split() for line in resolv_conf.splitlines()]
    return [words[1] for words in lines if len(words) > 1 and words[0] == "nameserver" and ":" not in words[1]]


def resolv_conf(
    candidates: tuple[Path, ...] = (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf")),
) -> str:
    """The host's resolv.conf as it is usable inside the sandbox, where the host's loopback address is another one."""
    for path in candidates:
        text = path.read_text() if path.exists() else ""
        found = nameservers(text)
        if found and not any(server.startswith("127.") for server in found):
            # Without the comments: some programs write the time into one.
            return "".join(f"{line}\n" for line in text.splitlines() if line and line[0] not in "#;")
    raise SandboxError(
        f"{candidates[0]} names no nameserver that the sandbox could reach: the sandbox has a network of its own, "
        "in which an address on 127.0.0.0/8 is not the host's. Name one by its address on the network there."
    )
