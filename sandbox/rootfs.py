"""A small Debian made with debootstrap from the machine's own mirror: the content of `debian:bookworm-slim`."""

import os
from collections.abc import Sequence
from pathlib import Path

from sandbox import apt, paths
from sandbox.apt import Source
from sandbox.command import run
from sandbox.errors import SandboxError
from sandbox.files import exclusive, staged
from sandbox.programs import content_key
from sandbox.progress import step
from sandbox.versions import pinned

SCRIPT = Path(__file__).parent / "images" / "debian" / "rootfs.sh"


def prepare() -> Path:
    """Make the Debian tar unless it is there; return the folder it is in, which is named by its content."""
    suite = pinned("images", "suite")
    sources = apt.debian_sources(apt.read_sources(), suite)
    settings = apt.carried_settings(apt.dump())
    store = paths.cache() / "images"
    home = store / key(suite, sources, settings, SCRIPT.read_bytes())
    if home.exists():
        return home
    if os.geteuid() != 0:
        raise SandboxError("Making the Debian image with debootstrap needs root. Run this again as root.")
    with exclusive(store):
        # Another command may have made it while this one waited.
        if not home.exists():
            with step(f"Making the Debian {suite} image", usual="1 min"), staged(home) as folder:
                _debootstrap(suite, sources, settings, folder)
    return home


def key(suite: str, sources: Sequence[Source], settings: Sequence[str], script: bytes) -> str:
    """The same for the same script, mirror and suite; a mirror's newer packages do not count."""
    return f"debian-{content_key({'rootfs.sh': script}, (suite, *(source.line for source in sources), *settings))}"


def extra_packages(sources: Sequence[Source]) -> tuple[str, ...]:
    """What the image needs to reach its mirror."""
    return ("ca-certificates",) if any(source.uri.startswith("https:") for source in sources) else ()


def _debootstrap(suite: str, sources: Sequence[Source], settings: Sequence[str], folder: Path) -> None:
    lines = folder / "sources.list", folder / "apt.conf"
    lines[0].write_text("".join(f"{source.line}\n" for source in sources))
    lines[1].write_text("".join(f"{setting}\n" for setting in settings))
    # Namespaces of its own: no mount of debootstrap's is left on the machine, and a killed run leaves no process.
    contained = ("unshare", "--mount", "--pid", "--fork", "--kill-child")
    run(
        [*contained, SCRIPT, suite, sources[0].uri, folder, *lines, ",".join(extra_packages(sources))],
        doing=f"Making the Debian {suite} image from {sources[0].uri}",
        log="debootstrap",
        env=os.environ | {"LC_ALL": "C", "TMPDIR": "/tmp"},  # noqa: S108 - a caller's TMPDIR is not inside the new system
        advice="Check that the mirror is reachable (apt-get update), then run this again.",
    )
    for path in lines:
        path.unlink()
