from pathlib import Path

import pytest

from sandbox import apt
from sandbox.apt import Source
from sandbox.errors import SandboxError

DEB822 = """\
# the release
Types: deb deb-src
URIs: http://mirror.example/debian/
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
Signed-By:
 /usr/share/keyrings/debian-archive-keyring.gpg

Enabled: no
Types: deb
URIs: http://mirror.example/backports
Suites: bookworm-backports
Components: main

Types: deb-src
URIs: http://mirror.example/source
Suites: bookworm
Components: main
"""

LINES = """\
deb http://mirror.example/debian bookworm main non-free-firmware # the release
#deb http://mirror.example/debian bookworm-backports main
deb-src http://mirror.example/debian bookworm main
deb [arch=amd64 signed-by=/etc/apt/keyrings/vendor.gpg] https://vendor.example/apt bookworm main

deb cdrom:[Debian]/ bookworm main
"""


def test_deb822_gives_one_source_per_archive_and_suite() -> None:
    key = "/usr/share/keyrings/debian-archive-keyring.gpg"
    assert apt.parse_deb822(DEB822) == [
        Source("http://mirror.example/debian", "bookworm", ("main", "contrib"), key),
        Source("http://mirror.example/debian", "bookworm-updates", ("main", "contrib"), key),
        Source("http://mirror.example/debian-security", "bookworm-security", ("main",), key),
    ]


def test_lines_give_one_source_each() -> None:
    assert apt.parse_lines(LINES)[:2] == [
        Source("http://mirror.example/debian", "bookworm", ("main", "non-free-firmware")),
        Source("https://vendor.example/apt", "bookworm", ("main",), "/etc/apt/keyrings/vendor.gpg"),
    ]


def test_debian_sources_are_the_release_its_updates_and_its_security() -> None:
    shuffled = reversed(apt.parse_deb822(DEB822))
    assert [source.line for source in apt.debian_sources(shuffled, "bookworm")] == [
        "deb http://mirror.example/debian bookworm main",
        "deb http://mirror.example/debian bookworm-updates main",
        "deb http://mirror.example/debian-security bookworm-security main",
    ]


def test_a_vendors_suite_of_the_same_name_and_a_cdrom_are_no_mirror() -> None:
    vendor_first = list(reversed(apt.parse_lines(LINES)))
    assert [source.uri for source in apt.debian_sources(vendor_first, "bookworm")] == ["http://mirror.example/debian"]


def test_no_mirror_is_a_sentence_that_names_the_suite() -> None:
    with pytest.raises(SandboxError, match="trixie"):
        apt.debian_sources(apt.parse_deb822(DEB822), "trixie")


def test_both_formats_are_read_and_disabled_files_are_not(tmp_path: Path) -> None:
    folder = tmp_path / "sources.list.d"
    folder.mkdir()
    (tmp_path / "sources.list").write_text("deb http://one.example/debian bookworm main\n")
    (folder / "two.sources").write_text(DEB822.replace("mirror.example", "two.example"))
    (folder / "three.list.disabled").write_text("deb http://three.example/debian bookworm main\n")
    assert {source.uri.split("/")[2] for source in apt.read_sources(tmp_path)} == {"one.example", "two.example"}


def test_settings_a_system_behind_the_same_mirror_needs_are_carried() -> None:
    dump = (
        'Acquire "";\nAcquire::Check-Date "false";\nAcquire::http::Proxy "http://proxy.example:3128";\n'
        'Acquire::http::Proxy::intern.example "DIRECT";\nAPT::Architecture "amd64";\nAcquire::https::Proxy "";\n'
    )
    assert apt.carried_settings(dump) == [
        'Acquire::Check-Date "false";',
        'Acquire::http::Proxy "http://proxy.example:3128";',
    ]
