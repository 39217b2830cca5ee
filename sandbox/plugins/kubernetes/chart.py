"""The chart on disk: its version, its dependencies, and values files; without it nothing can be planned."""

from __future__ import annotations

import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sandbox.plugins.provider import Asset, InvalidInputError, Properties, Secret, reveal


@dataclass(frozen=True)
class Chart:
    """What `Check` needs to know about a local chart."""

    version: str
    missing: tuple[str, ...]
    """Dependencies that Chart.yaml names and `charts/` does not hold."""


def find_local(reference: str) -> Path | None:
    """Return the path of a local chart; None if `reference` means one in a repository or registry."""
    path = Path(reference)
    if (path.is_dir() and (path / "Chart.yaml").is_file()) or path.is_file():
        return path
    if path.is_absolute() or reference.startswith("."):
        raise InvalidInputError(f'path "{reference}" not found, or it holds no Chart.yaml')
    return None


def read(path: Path) -> Chart:
    """Read a chart directory or archive."""
    if path.is_file():
        return Chart(_version(_from_archive(path), path), ())
    document = _load((path / "Chart.yaml").read_text(), path)
    wanted = [str(dependency.get("name")) for dependency in document.get("dependencies") or []]
    held = _held(path / "charts")
    return Chart(_version(document, path), tuple(name for name in wanted if name not in held))


def _held(folder: Path) -> set[str]:
    names = set()
    for entry in folder.iterdir() if folder.is_dir() else []:
        if (entry / "Chart.yaml").is_file():
            names.add(str(_load((entry / "Chart.yaml").read_text(), entry).get("name")))
        elif entry.suffix in {".tgz", ".gz"}:
            names.add(str(_from_archive(entry).get("name")))
    return names


def _from_archive(path: Path) -> dict[str, Any]:
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                if member.name.count("/") == 1 and member.name.endswith("/Chart.yaml"):
                    file = archive.extractfile(member)
                    return _load(file.read().decode() if file else "", path)
    except (tarfile.TarError, OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"{path} is no chart archive: {error}") from error
    raise InvalidInputError(f"{path} is no chart archive: it has no Chart.yaml")


def _load(text: str, path: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InvalidInputError(f"The Chart.yaml of {path} is not YAML: {error}") from error
    if not isinstance(document, dict):
        raise InvalidInputError(f"The Chart.yaml of {path} is empty or no map.")
    return document


def version_in(text: str, name: str) -> str:
    """Return the version in the text of a Chart.yaml."""
    return _version(_load(text, Path(name)), Path(name))


def _version(document: dict[str, Any], path: Path) -> str:
    if document.get("type") == "library":
        raise InvalidInputError(f"{path}: library charts are not installable")
    if not document.get("version"):
        raise InvalidInputError(f"The Chart.yaml of {path} names no version.")
    return str(document["version"])


def merged_values(files: list[Any], values: Any, *, keep_nulls: bool) -> Any:
    """Return the values of `files` (assets) overlaid with `values`; secret if any file or the whole is."""
    merged: Any = {}
    secret = isinstance(values, Secret)
    for file in files:
        secret = secret or isinstance(file, Secret)
        merged = overlay(merged, _read_values(reveal(file)))
    merged = overlay(merged, values.value if isinstance(values, Secret) else values)
    if not keep_nulls:
        merged = _without_nulls(merged)
    return Secret(merged) if secret else merged


def _read_values(asset: Any) -> Properties:
    if not isinstance(asset, Asset) or (asset.text is None and asset.path is None):
        raise InvalidInputError("`valueYamlFiles` takes file and string assets; the offline plugin reads no URLs.")
    name = asset.path or "a string asset"
    try:
        document = yaml.safe_load(asset.text if asset.text is not None else Path(asset.path or "").read_text())
    except (OSError, yaml.YAMLError) as error:
        raise InvalidInputError(f"The values file {name} cannot be read: {error}") from error
    if document is not None and not isinstance(document, dict):
        raise InvalidInputError(f"The values file {name} is no map.")
    return document or {}


def overlay(base: Any, top: Any) -> Any:
    """Return `base` with `top` over it, maps merged at every depth, as helm merges values."""
    if isinstance(base, dict) and isinstance(top, dict):
        return {**base, **{key: overlay(base[key], value) if key in base else value for key, value in top.items()}}
    return top


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(child) for key, child in value.items() if child is not None}
    if isinstance(value, list):
        return [_without_nulls(child) for child in value if child is not None]
    return value


def resource_names(manifest: str) -> dict[str, list[str]]:
    """Return the names in a rendered manifest, by `Kind.group/apiVersion`: the output `resourceNames`."""
    found: dict[str, set[str]] = {}
    # Only names are read: all scalars are strings here, and none (a bare `=`, a date like 2000-13-40) is refused.
    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    for document in yaml.load_all(manifest, Loader=loader):
        if not isinstance(document, dict) or not document.get("kind"):
            continue
        api_version, kind = str(document.get("apiVersion")), str(document["kind"])
        group = api_version.rpartition("/")[0]
        metadata = document.get("metadata") or {}
        name = "/".join(part for part in (metadata.get("namespace"), metadata.get("name")) if part)
        found.setdefault(f"{kind}.{group}/{api_version}" if group else f"{kind}/{api_version}", set()).add(name)
    return {key: sorted(names) for key, names in sorted(found.items())}
