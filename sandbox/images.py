"""The images the sandbox's registry serves as docker.io's: Debian, Redis on it, and the pod's pause program."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from sandbox import registry as registries
from sandbox import rootfs, toolchain
from sandbox.command import run
from sandbox.programs import content_key
from sandbox.progress import step
from sandbox.versions import pinned

FOLDER = Path(__file__).parent / "images"
# Every date in an image is this one, the release of Debian 12: the same content has the same digest on any machine.
DATE = "1686355200"
OUTPUT = "push=true,registry.insecure=true,rewrite-timestamp=true"


@dataclass(frozen=True)
class Image:
    """An image, what it is built from, and the tag that names exactly this content."""

    reference: str
    usual: str
    dockerfile: Path
    context: Path
    key: str

    @property
    def name(self) -> str:
        """The repository: library/redis."""
        return self.reference.rpartition(":")[0]

    @property
    def tag(self) -> str:
        """The tag it is used by: 7."""
        return self.reference.rpartition(":")[2]

    @property
    def content_tag(self) -> str:
        """A second tag, by which a later run recognises that nothing changed."""
        return f"content-{self.key}"


def prepare() -> None:
    """Make what needs neither a registry nor a builder."""
    rootfs.prepare()


def publish(registry: str, buildkit_host: str) -> None:
    """Build and push what the plain-http registry at `registry` (host:port) does not have yet."""
    bin_folder = toolchain.ensure()
    for image in images(rootfs.prepare(), (bin_folder / "pause").resolve().parent):
        if not present(registry, image):
            with step(f"Publishing {image.reference}", usual=image.usual):
                _build(bin_folder / "buildctl", registry, buildkit_host, image)


def images(debian: Path, pause: Path) -> tuple[Image, ...]:
    """All of them, in the order they build on each other; the two folders hold Debian's tar and the pause program."""
    base = _key(FOLDER / "debian", debian.name)
    return (
        Image(pinned("images", "pause"), "1 s", FOLDER / "pause", pause, _key(FOLDER / "pause", pause.name)),
        Image(pinned("images", "debian"), "20 s", FOLDER / "debian", debian, base),
        Image(pinned("images", "redis"), "20 s", FOLDER / "redis", FOLDER / "redis", _key(FOLDER / "redis", base)),
    )


def present(registry: str, image: Image) -> bool:
    """Whether the registry serves exactly this content under the tag it is used by."""
    content = registries.digest(registry, image.name, image.content_tag)
    return content is not None and content == registries.digest(registry, image.name, image.tag)


def _key(dockerfile: Path, built_on: str) -> str:
    files = {path.name: path.read_bytes() for path in dockerfile.iterdir() if path.is_file()}
    return content_key(files, (built_on, DATE, OUTPUT))


def _build(buildctl: Path, registry: str, buildkit_host: str, image: Image) -> None:
    names = ",".join(f"{registry}/{image.name}:{tag}" for tag in (image.content_tag, image.tag))
    # A login for some registry, or a credential helper, has no part in this.
    with tempfile.TemporaryDirectory() as no_logins:
        run(
            [
                *(buildctl, "--addr", buildkit_host, "build", "--progress", "plain", "--frontend", "dockerfile.v0"),
                *("--local", f"dockerfile={image.dockerfile}", "--local", f"context={image.context}"),
                *("--opt", f"build-arg:SOURCE_DATE_EPOCH={DATE}"),
                *("--output", f'type=image,"name={names}",{OUTPUT}'),
            ],
            doing=f"Building the image {image.reference} and pushing it to {registry}",
            log=f"image-{image.name.rpartition('/')[2]}",
            env=os.environ | {"DOCKER_CONFIG": no_logins},
        )
