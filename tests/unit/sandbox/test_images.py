from pathlib import Path

import pytest

from sandbox import images, registry, rootfs
from sandbox.apt import Source

MIRROR = Source("http://mirror.example/debian", "bookworm", ("main",))


def image(name: str, debian: str = "debian-1", pause: str = "pause-1") -> images.Image:
    return next(found for found in images.images(Path(debian), Path(pause)) if found.name.endswith(name))


class TestRootfs:
    def test_script_mirror_and_settings_decide_the_key(self) -> None:
        other = Source("http://other.example/debian", "bookworm", ("main",))
        keys = {
            rootfs.key("bookworm", [MIRROR], [], b"script"),
            rootfs.key("bookworm", [other], [], b"script"),
            rootfs.key("bookworm", [MIRROR], ['Acquire::Check-Date "false";'], b"script"),
            rootfs.key("bookworm", [MIRROR], [], b"another script"),
        }
        assert len(keys) == 4

    def test_a_mirror_over_https_needs_certificates_in_the_image(self) -> None:
        assert rootfs.extra_packages([MIRROR]) == ()
        assert rootfs.extra_packages([Source("https://m.example", "bookworm", ("main",))]) == ("ca-certificates",)


class TestImages:
    def test_they_come_in_the_order_they_build_on_each_other(self) -> None:
        names = [found.reference for found in images.images(Path("debian-1"), Path("pause-1"))]
        assert names.index("library/debian:bookworm-slim") < names.index("library/redis:7")
        assert "pause:3.10" in names

    def test_another_debian_is_another_redis_but_the_same_pause(self) -> None:
        assert image("redis").key != image("redis", debian="debian-2").key
        assert image("pause").key == image("pause", debian="debian-2").key

    def test_no_dockerfile_asks_for_a_frontend_from_elsewhere(self) -> None:
        for path in images.FOLDER.glob("*/Dockerfile"):
            assert "syntax=" not in path.read_text()


class TestPresent:
    @pytest.mark.parametrize(
        ("tags", "expected"),
        [
            ({}, False),
            ({"7": "sha256:old"}, False),
            ({"content": "sha256:new"}, False),
            ({"content": "sha256:new", "7": "sha256:old"}, False),
            ({"content": "sha256:new", "7": "sha256:new"}, True),
        ],
    )
    def test_only_when_both_tags_are_this_content(
        self, tags: dict[str, str], expected: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(registry, "digest", lambda _, __, tag: tags.get(tag.partition("-")[0]))
        assert images.present("registry.example:5000", image("redis")) is expected
