"""Looks for a secret value in everything that a run can leave behind, whatever it is packed in."""

import base64
import contextlib
import gzip
import io
import json
import os
import stat
import tarfile
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from ahocorasick_rs import BytesAhoCorasick

from deploytag.delivery.cluster import Cluster
from deploytag.delivery.removal.registry import MANIFESTS
from deploytag.delivery.run import MARK
from deploytag.identity import Identity
from tests.e2e.typed import core
from tests.files import below

SAMPLE = 0.1
"""Seconds between two looks at the processes."""


class Needles:
    """Unique letters and digits, which JSON, URLs and shells leave as they are; also in base64 and in hexadecimal."""

    def __init__(self, marks: Mapping[str, str]) -> None:
        names: dict[bytes, str] = {}
        for name, mark in marks.items():
            raw = mark.encode()
            names[raw] = names[raw.hex().encode()] = names[raw.hex().upper().encode()] = name
            for before in range(3):
                padded = base64.b64encode(bytes(before) + raw + b"\0\0")
                inner = padded[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]
                names[inner] = names[inner.replace(b"+", b"-").replace(b"/", b"_")] = name
        self._names = list(names.values())
        # All at once: one after the other took longer than the deployments that are searched.
        self._needles = BytesAhoCorasick(names)

    def found(self, content: bytes | str) -> set[str]:
        """Which of them are in it, also if it is packed."""
        raw = content.encode() if isinstance(content, str) else content
        hits = {self._names[needle] for needle, *_ in self._needles.find_matches_as_indexes(raw, overlapping=True)}
        if raw[:2] == b"\x1f\x8b":
            # The end may be missing: it is written to.
            with contextlib.suppress(zlib.error, EOFError, OSError):
                hits |= self.found(zlib.decompressobj(31).decompress(raw))
        return hits


def in_files(needles: Needles, roots: Iterable[Path], since: float) -> set[tuple[str, str]]:
    """In every file below `roots` that was written since."""
    return {(str(path), name) for path, content in _written(roots, since) for name in needles.found(content)}


def in_what_goes(
    needles: Needles, backend: Path, pod_logs: Path, identity: Identity, since: float
) -> tuple[set[str], set[tuple[str, str]]]:
    """In files that are gone when the environment is: which of them there were, and what was found."""
    state, stack = backend / ".pulumi", Path(identity.project, identity.stack)
    places = {
        "checkpoint": (state / "stacks" / identity.project).glob(f"{identity.stack}.*"),
        "history": [state / "history" / stack],
        "backups": [state / "backups" / stack],
        "pod logs": pod_logs.glob(f"{identity.namespace}_*"),
    }
    seen: set[str] = set()
    hits: set[tuple[str, str]] = set()
    for kind, roots in places.items():
        for path, content in _written(roots, since):
            seen.add(kind)
            hits |= {(str(path), name) for name in needles.found(content)}
    return seen, hits


def _written(roots: Iterable[Path], since: float) -> Iterator[tuple[Path, bytes]]:
    for root in roots:
        for path in [root] if root.is_file() else below(root):
            with contextlib.suppress(OSError):  # somebody else's, and gone
                if path.is_file() and not path.is_symlink() and path.stat().st_mtime >= since:
                    yield path, path.read_bytes()


def in_image(needles: Needles, image: str) -> set[tuple[str, str]]:
    """In the configuration and every layer of an image or a cache in the registry, `host/name:tag[@digest]`."""
    host, _, rest = image.partition("/")
    name, _, digest = rest.partition("@")
    repository, _, tag = name.partition(":")
    base = f"http://{host}/v2/{repository}"
    hits: set[tuple[str, str]] = set()
    with httpx.Client(timeout=60, headers={"Accept": MANIFESTS}) as client:

        def manifest(reference: str) -> Iterator[str]:
            answer = client.get(f"{base}/manifests/{reference}").raise_for_status()
            hits.update((f"{image} manifest", it) for it in needles.found(answer.content))
            document = answer.json()
            for inner in document.get("manifests", []):
                yield from manifest(inner["digest"])
            for blob in [document.get("config"), *document.get("layers", [])]:
                if blob:
                    yield blob["digest"]

        for blob in set(manifest(digest or tag)):
            content = client.get(f"{base}/blobs/{blob}").raise_for_status().content
            hits |= {(f"{image} {blob}", it) for it in needles.found(content)}
            with contextlib.suppress(tarfile.ReadError), tarfile.open(fileobj=io.BytesIO(content)) as layer:
                for member in layer:
                    if member.isfile() and (file := layer.extractfile(member)):
                        hits |= {(f"{image} {member.name}", it) for it in needles.found(file.read())}
    return hits


def in_releases(needles: Needles, cluster: Cluster, namespace: str) -> tuple[int, set[str]]:
    """In what Helm keeps: how many releases there are, and what was found."""
    typed = core(cluster)
    secrets = typed.list_namespaced_secret(namespace, field_selector="type=helm.sh/release.v1").items
    hits: set[str] = set()
    for secret in secrets:
        packed = base64.b64decode(base64.b64decode(secret.data["release"]))
        release: dict[str, Any] = json.loads(gzip.decompress(packed))
        hits |= needles.found(json.dumps(release, ensure_ascii=False))
        for template in release["chart"]["templates"]:
            hits |= needles.found(base64.b64decode(template["data"]))
    return len(secrets), hits


def caches_of(image: str) -> list[str]:
    """Where the layers of an image are cached, those of stages and steps that are not in it too."""
    repository, _, tag = image.partition("@")[0].rpartition(":")
    return [f"{repository}:cache-{tag}", f"{repository}:cache"]


@dataclass
class Watched:
    """What a folder had in it, for however short a time."""

    seen: set[str] = field(default_factory=set)
    """Names directly in it."""
    hits: set[tuple[str, str]] = field(default_factory=set)
    """Values that files below it held."""
    open: set[tuple[str, str]] = field(default_factory=set)
    """Names and modes directly in it that others than their owner could read, write or enter."""


@contextmanager
def watching_folder(needles: Needles, folder: Path) -> Iterator[Watched]:
    """In the files of a folder that come and go while a run works."""
    watched = Watched()
    searched: set[tuple[str, int, int]] = set()

    def look(path: Path) -> None:
        state = path.lstat()
        version = (str(path), state.st_mtime_ns, state.st_size)
        if stat.S_ISREG(state.st_mode) and version not in searched:
            searched.add(version)
            watched.hits.update((str(path.relative_to(folder)), it) for it in needles.found(path.read_bytes()))

    def sample() -> None:
        for entry in os.scandir(folder):
            with contextlib.suppress(OSError):
                mode = entry.stat(follow_symlinks=False).st_mode
                watched.seen.add(entry.name)
                if mode & 0o077 and not stat.S_ISLNK(mode):
                    watched.open.add((entry.name, stat.filemode(mode)))
        for path in below(folder):
            with contextlib.suppress(OSError):
                look(path)

    with _again_and_again(sample):
        yield watched


@contextmanager
def _again_and_again(sample: Callable[[], None]) -> Iterator[None]:
    end = threading.Event()

    def run() -> None:
        while not end.wait(SAMPLE):
            with contextlib.suppress(OSError):
                sample()

    with ThreadPoolExecutor(1) as pool:
        sampling = pool.submit(run)
        try:
            yield
        finally:
            end.set()
        # What broke off has seen nothing since.
        sampling.result()


@dataclass
class Processes:
    """What processes were given, for however short a time."""

    seen: set[str] = field(default_factory=set)
    """Names of programs that a run has started, whose environments were searched."""
    hits: set[tuple[str, str]] = field(default_factory=set)
    """Where values were, and which."""


@contextmanager
def watching_processes(needles: Needles) -> Iterator[Processes]:
    """In the arguments of every process of this machine, and in the environment of everything a run has started."""
    processes = Processes()
    mark = f"{MARK}=".encode()
    # Most processes are the same ten times a second, and to search is what takes time.
    searched: set[bytes] = set()

    def search(where: str, content: bytes) -> None:
        if content not in searched:
            searched.add(content)
            processes.hits.update((where, it) for it in needles.found(content))

    def look(process: Path) -> None:
        arguments = (process / "cmdline").read_bytes()
        search(arguments[:80].decode(errors="replace"), arguments)
        environ = (process / "environ").read_bytes()
        if mark in environ:
            search("environ", environ)
            processes.seen.add(Path(os.fsdecode(arguments.partition(b"\0")[0])).name)

    def sample() -> None:
        for process in os.scandir("/proc"):
            if process.name.isdecimal():
                with contextlib.suppress(OSError):
                    look(Path(process.path))

    with _again_and_again(sample):
        yield processes
