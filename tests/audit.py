"""Known vulnerabilities of the locked packages, offline: `python -m tests.audit`, or `make audit`.

The data is PyUp's, in the package `safety-db`: the only one that brings its advisories along. It is old (the age is
printed), so what this finds is a pin that went back to something bad, and what it does not find means little: where
there is a network, `uvx pip-audit --requirement requirements.txt` asks today's advisories.
"""

import importlib.util
import json
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

LOCK = Path(__file__).parent.parent / "uv.lock"


@dataclass(frozen=True, slots=True)
class Advisories:
    """What is known of which versions."""

    made: datetime
    by_package: Mapping[str, list[dict[str, Any]]]

    @classmethod
    def read(cls) -> "Advisories":
        # Not imported: the package's own code looks for its data in the current directory.
        spec = importlib.util.find_spec("safety_db")
        assert spec is not None
        assert spec.origin is not None
        document = json.loads(Path(spec.origin).with_name("insecure_full.json").read_bytes())
        meta = document.pop("$meta")
        return cls(
            datetime.fromtimestamp(meta["timestamp"], UTC),
            {canonicalize_name(name): entries for name, entries in document.items()},
        )

    def of(self, name: str, version: str) -> Iterator[str]:
        """A sentence for each that concerns this version."""
        for entry in self.by_package.get(canonicalize_name(name), ()):
            if any(SpecifierSet(spec).contains(Version(version), prereleases=True) for spec in entry["specs"]):
                yield f"{name} {version}: {entry['id']} {entry['cve'] or ''}: {entry['advisory'][:200]}"


def packages(lock: Path = LOCK) -> list[dict[str, Any]]:
    """The locked packages that come from an index."""
    found: list[dict[str, Any]] = tomllib.loads(lock.read_text())["package"]
    return [package for package in found if "registry" in package["source"]]


def without_hashes(package: Mapping[str, Any]) -> list[str]:
    """The files of a locked package that nothing pins."""
    files = [*package.get("wheels", ()), *([package["sdist"]] if "sdist" in package else ())]
    if not files:
        return [package["name"]]
    return [file["url"] for file in files if not file.get("hash", "").startswith("sha256:")]


def main() -> int:
    """Say what is wrong; 1 when something is."""
    advisories, locked = Advisories.read(), packages()
    complaints = [complaint for package in locked for complaint in advisories.of(package["name"], package["version"])]
    complaints += [f"no hash for {file}" for package in locked for file in without_hashes(package)]
    days = (datetime.now(UTC) - advisories.made).days
    print(f"{len(locked)} locked packages, all pinned by hash unless said.")
    print(f"Advisories of {advisories.made:%Y-%m-%d}, {days} days old.")
    print("Newer ones: uvx pip-audit --requirement requirements.txt")
    print("\n".join(complaints) or "nothing known")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
