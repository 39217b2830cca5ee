"""The provider: its settings, and the one function it knows."""

import os

from sandbox.plugins.aws.secrets import GET_SECRET_VERSION, SecretsManager
from sandbox.plugins.aws.settings import SUPPORTED, Settings
from sandbox.plugins.provider import InvalidInputError, InvokeRequest, Properties, Provider, Resource, sdk_version
from sandbox.plugins.switching import HOW_TO_SWITCH


class AwsProvider(Provider):
    """`aws:secretsmanager/getSecretVersion:getSecretVersion`."""

    name = "aws"
    version = sdk_version("aws")
    supported_config = SUPPORTED

    def __init__(self) -> None:
        """Know no region yet."""
        super().__init__()
        self._secrets: SecretsManager | None = None

    def configure(self, config: Properties) -> None:
        """Take the settings. Nothing is asked of AWS yet: wrong credentials show at the first call."""
        self._secrets = SecretsManager(Settings.read(config, os.environ))

    def warm_up(self) -> None:
        """Import boto3 while the engine starts the program."""
        import boto3  # noqa: F401, PLC0415

    def resource(self, token: str) -> Resource:
        """There are no resources."""
        raise InvalidInputError(f"The offline aws plugin does not support the resource type {token}. {HOW_TO_SWITCH}")

    def invoke(self, request: InvokeRequest) -> Properties:
        """Read a secret's value."""
        if request.token != GET_SECRET_VERSION:
            raise InvalidInputError(
                f"The offline aws plugin does not support the function {request.token}; it knows only "
                f"{GET_SECRET_VERSION}. {HOW_TO_SWITCH}"
            )
        if self._secrets is None:
            raise InvalidInputError(f"{request.token} was called before the aws provider was configured.")
        return self._secrets.get_secret_version(request.args)
