"""What changed between two property maps, as property paths, and whether that needs a replacement."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeAlias

from sandbox.plugins.provider.values import Asset, Secret, Unknown, has_unknown, reveal

Path: TypeAlias = tuple[str | int, ...]
"""Where a value sits: keys and list indices from the top."""


class Kind(Enum):
    """How one property changed."""

    ADD = "ADD"
    DELETE = "DELETE"
    UPDATE = "UPDATE"


@dataclass(frozen=True)
class Change:
    """One changed property."""

    path: Path
    kind: Kind
    replaces: bool = False


@dataclass(frozen=True)
class Diff:
    """The answer to the engine's `Diff`: nothing, an update, or a replacement."""

    changes: tuple[Change, ...] = ()
    delete_before_replace: bool = False
    stables: tuple[str, ...] = field(default=())

    @property
    def replaces(self) -> bool:
        """Whether any change needs a replacement."""
        return any(change.replaces for change in self.changes)


def render_path(path: Path) -> str:
    """Return `path` as the engine writes it: `spec.ports[0].name`, `metadata.labels["app/name"]`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif re.fullmatch(r"[A-Za-z_$][\w$-]*", step):
            text += f".{step}" if text else step
        else:
            escaped = step.replace('"', '\\"')
            text += f'["{escaped}"]'
    return text


def compare(
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    replace: Callable[[Path], bool] | Collection[str] = (),
) -> tuple[Change, ...]:
    """Return the changes from `old` to `new` inputs; an unknown new value counts as changed.

    `replace` names the top-level properties that force a replacement, or decides for a path.
    """
    if callable(replace):
        decide = replace
    else:
        names = frozenset(replace)

        def decide(path: Path) -> bool:
            return path[0] in names

    return tuple(
        Change(path, kind, decide(path)) for path, kind in sorted(_walk((), old, new), key=lambda item: str(item[0]))
    )


def _walk(path: Path, old: Any, new: Any) -> Iterator[tuple[Path, Kind]]:
    # Secretness alone is no change: the service would see no difference, and the engine records it either way.
    old, new = _open(old), _open(new)
    if isinstance(new, Unknown):
        yield path, Kind.UPDATE
    elif isinstance(old, dict) and isinstance(new, dict):
        for key in old.keys() | new.keys():
            yield from _walk_child((*path, key), old.get(key), new.get(key))
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            yield from _walk_child(
                (*path, index),
                old[index] if index < len(old) else None,
                new[index] if index < len(new) else None,
            )
    elif has_unknown(new) or not _same(reveal(old), reveal(new)):
        yield path, Kind.UPDATE


def _walk_child(path: Path, old: Any, new: Any) -> Iterator[tuple[Path, Kind]]:
    if old is None and new is not None:
        yield path, Kind.ADD
    elif old is not None and new is None:
        yield path, Kind.DELETE
    elif old is not None:
        yield from _walk(path, old, new)


def _same(old: Any, new: Any) -> bool:
    if isinstance(old, Asset) and isinstance(new, Asset):
        return bool(old.fields.get("hash") == new.fields.get("hash") and old.fields.get("hash"))
    # True == 1 in Python, not in a manifest.
    return bool(old == new and isinstance(old, bool) == isinstance(new, bool))


def _open(value: Any) -> Any:
    return value.value if isinstance(value, Secret) else value
