"""What the machine's own apt configuration says: the Debian mirror it uses, read at run time and written nowhere."""

import re
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sandbox.errors import SandboxError

# Settings without which the mirror may not be usable from inside an image: proxies, and a snapshot's old signatures.
_CARRIED = re.compile(r'^(Acquire::(?:Check-Valid-Until|Check-Date|https?::Proxy) ".+";)$', re.MULTILINE)


@dataclass(frozen=True)
class Source:
    """One suite of one package archive."""

    uri: str
    suite: str
    components: tuple[str, ...]
    signed_by: str | None = None

    @property
    def line(self) -> str:
        """The same in the one-line format."""
        return f"deb {self.uri} {self.suite} {' '.join(self.components)}"


def read_sources(folder: Path = Path("/etc/apt")) -> list[Source]:
    """Every enabled source of binary packages, in apt's own order."""
    found: list[Source] = []
    for path in [folder / "sources.list", *sorted((folder / "sources.list.d").glob("*"))]:
        if path.suffix == ".list" and path.is_file():
            found += parse_lines(path.read_text())
        elif path.suffix == ".sources" and path.is_file():
            found += parse_deb822(path.read_text())
    return found


def parse_lines(text: str) -> list[Source]:
    """The one-line format: `deb [signed-by=KEYRING] URI SUITE COMPONENT ...`."""
    found = []
    for line in text.splitlines():
        match = re.match(r"\s*deb\s+(?:\[(?P<options>[^]]*)\]\s+)?(?P<rest>[^#]+)", line)
        words = match["rest"].split() if match else []
        if match and len(words) >= 2:
            options = dict(option.split("=", 1) for option in (match["options"] or "").split() if "=" in option)
            found.append(Source(words[0].rstrip("/"), words[1], tuple(words[2:]), options.get("signed-by")))
    return found


def parse_deb822(text: str) -> list[Source]:
    """The format of *.sources: stanzas of `Field: value`."""
    found = []
    for stanza in re.split(r"\n\s*\n", text):
        fields = _fields(stanza)
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() in {"no", "false"}:
            continue
        components = tuple(fields.get("components", "").split())
        found += [
            Source(uri.rstrip("/"), suite, components, fields.get("signed-by"))
            for uri in fields.get("uris", "").split()
            for suite in fields.get("suites", "").split()
        ]
    return found


def debian_sources(sources: Iterable[Source], suite: str) -> list[Source]:
    """Debian's own archive among the sources: the release first, then its updates and security fixes.

    Vendors publish suites of the same name; what tells them apart is that their packages are signed with another key.
    """
    order = (suite, f"{suite}-updates", f"{suite}-security")
    chosen: dict[str, Source] = {}
    for source in sources:
        debians = source.signed_by is None or "debian-archive" in source.signed_by
        if source.suite in order and "main" in source.components and debians and source.uri.startswith("http"):
            chosen.setdefault(source.suite, Source(source.uri, source.suite, ("main",)))
    if suite not in chosen:
        raise SandboxError(
            f"Making the Debian image needs the address of a Debian mirror, and the machine's own apt sources "
            f"(/etc/apt) name none over http for {suite}. Add one, then run this again."
        )
    return [chosen[name] for name in order if name in chosen]


def carried_settings(dump: str) -> list[str]:
    """The lines of `apt-config dump` that a system behind the same mirror needs as well."""
    return _CARRIED.findall(dump)


def dump() -> str:
    """The machine's apt settings."""
    return subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True).stdout


def _fields(stanza: str) -> Mapping[str, str]:
    fields: dict[str, str] = {}
    name = ""
    for line in stanza.splitlines():
        if line.startswith("#"):
            continue
        if line[:1].isspace():
            fields[name] = f"{fields.get(name, '')} {line}".strip()
        elif ":" in line:
            name, value = line.split(":", 1)
            name = name.strip().lower()
            fields[name] = value.strip()
    return fields
