"""What versions.toml and the go.mod files say."""

import re
import tomllib
from functools import cache
from pathlib import Path

MODULES = Path(__file__).parent / "toolchain"


@cache
def pinned(table: str, key: str) -> str:
    """A version from versions.toml."""
    text = (Path(__file__).parent / "versions.toml").read_text()
    return str(tomllib.loads(text)[table][key])


def required_module(go_mod: str, path: str) -> str:
    """The version of the module `path` that the text of a go.mod requires: v1.34.4."""
    found = re.search(rf"^(?:require)?\s+{re.escape(path)}\s+(v\S+)", go_mod, re.MULTILINE)
    if not found:
        raise LookupError(f"this go.mod requires no {path}")
    return found[1]


def required_go(go_mod: str) -> tuple[int, ...]:
    """The Go version that the text of a go.mod asks for: (1, 26, 8)."""
    found = re.search(r"^go\s+(\d+(?:\.\d+)*)\s*$", go_mod, re.MULTILINE)
    if not found:
        raise LookupError("this go.mod has no go line")
    return tuple(int(part) for part in found[1].split("."))


def module_version(wrapper: str, path: str) -> str:
    """The version of a module that one of our wrapper modules pins."""
    return required_module((MODULES / wrapper / "go.mod").read_text(), path)


def minimum_go() -> tuple[int, ...]:
    """The oldest Go that all wrapper modules accept."""
    return max(required_go(path.read_text()) for path in MODULES.glob("*/go.mod"))
