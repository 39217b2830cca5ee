"""The provider: its settings, and the one function it knows."""

import os
from typing import Final

from sandbox.plugins.docker.image_name import ImageName
from sandbox.plugins.docker.registry import digest
from sandbox.plugins.docker.settings import SUPPORTED, Settings
from sandbox.plugins.provider import (
    InvalidInputError,
    InvokeRequest,
    Properties,
    Provider,
    Resource,
    reveal,
    sdk_version,
)
from sandbox.plugins.switching import HOW_TO_SWITCH

GET_REGISTRY_IMAGE: Final = "docker:index/getRegistryImage:getRegistryImage"


class DockerProvider(Provider):
    """`docker:index/getRegistryImage:getRegistryImage`."""

    name = "docker"
    version = sdk_version("docker")
    supported_config = SUPPORTED

    def __init__(self) -> None:
        """Know no registry yet."""
        super().__init__()
        self._settings: Settings | None = None

    def configure(self, config: Properties) -> None:
        """Take the settings. No Docker daemon is ever asked, whatever `disableDockerDaemonCheck` says."""
        self._settings = Settings.read(config, os.environ)

    def warm_up(self) -> None:
        """Import httpx while the engine starts the program."""
        import httpx  # noqa: F401, PLC0415

    def resource(self, token: str) -> Resource:
        """There are no resources."""
        raise InvalidInputError(
            f"The offline docker plugin does not support the resource type {token}. {HOW_TO_SWITCH}"
        )

    def invoke(self, request: InvokeRequest) -> Properties:
        """Ask a registry for a digest."""
        if request.token != GET_REGISTRY_IMAGE:
            raise InvalidInputError(
                f"The offline docker plugin does not support the function {request.token}; it knows only "
                f"{GET_REGISTRY_IMAGE}. {HOW_TO_SWITCH}"
            )
        unknown = request.args.keys() - {"name", "insecureSkipVerify"}
        if unknown:
            raise InvalidInputError(f"getRegistryImage has no argument {', '.join(sorted(unknown))}.")
        arguments = reveal(request.args)
        if not isinstance(arguments.get("name"), str) or self._settings is None:
            raise InvalidInputError(
                "getRegistryImage needs `name`: an image and its tag, such as debian:bookworm-slim."
            )
        image = ImageName.parse(arguments["name"])
        insecure = bool(arguments.get("insecureSkipVerify", False))
        found = digest(image, self._settings.endpoint(image.registry), verify=not insecure)
        return {"id": found, "sha256Digest": found, "name": arguments["name"], "insecureSkipVerify": insecure}
