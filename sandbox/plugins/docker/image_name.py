"""The parts of an image's name, by the rules of Docker."""

from dataclasses import dataclass

from sandbox.plugins.provider import InvalidInputError

DOCKER_HUB = "docker.io"


@dataclass(frozen=True)
class ImageName:
    """A registry, a repository in it, and a tag or a digest."""

    registry: str
    repository: str
    reference: str

    @classmethod
    def parse(cls, text: str) -> "ImageName":
        """Read `debian:bookworm-slim`, `localhost:5000/a/b@sha256:...` and the like."""
        rest, _, digest = text.partition("@")
        first, slash, path = rest.partition("/")
        # `library/debian` names a repository, `registry.test/debian` and `localhost/debian` name registries.
        if slash and ("." in first or ":" in first or first == "localhost"):
            registry = DOCKER_HUB if first in ("index.docker.io", "registry-1.docker.io") else first
        else:
            registry, path = DOCKER_HUB, rest
        repository, colon, tag = path.rpartition(":")
        if not colon:
            repository, tag = path, "latest"
        if not repository or not tag or (text.count("@") and not digest):
            raise InvalidInputError(f"{text!r} is no name of an image; one is for example debian:bookworm-slim.")
        if registry == DOCKER_HUB and "/" not in repository:
            repository = f"library/{repository}"
        return cls(registry, repository, digest or tag)

    def __str__(self) -> str:
        """The full name."""
        return f"{self.registry}/{self.repository}{'@' if ':' in self.reference else ':'}{self.reference}"
