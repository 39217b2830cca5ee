"""The wrapper's own look at AWS Secrets Manager: which versions there are now, and whether they can be used.

boto3 is imported when there is something to ask: a class without secrets needs neither it nor an account.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, cast

from deploytag import redaction
from deploytag.errors import SecretError, UnreachableError
from deploytag.identity import Identity
from deploytag.passwords import database_password
from deploytag.secrets import Payload, environment_variables, no_such_secret, plain_text, reserved_names
from deploytag.settings import ApplicationSettings, EnvironmentClass, SecretSource
from deploytag.settings.secrets import CURRENT

TIMEOUT = 5
"""Seconds for one answer."""


class SecretsManager(Protocol):
    """The part of boto3's client that is used."""

    def describe_secret(self, *, SecretId: str) -> Mapping[str, Any]:  # noqa: N803 - AWS's own spelling
        """Metadata of a secret, its versions among them."""

    def get_secret_value(self, *, SecretId: str, **version: str) -> Mapping[str, Any]:  # noqa: N803
        """One version, with its value."""


def secrets_manager() -> SecretsManager:
    """The client, as the AWS_* environment says.

    Raises:
        UnreachableError: the environment names no region, or a profile that is not there.
    """
    import boto3  # noqa: PLC0415 - see above
    from botocore.config import Config  # noqa: PLC0415

    with _asked("asking AWS Secrets Manager"):
        config = Config(connect_timeout=TIMEOUT, read_timeout=TIMEOUT, retries={"total_max_attempts": 2})
        return cast("SecretsManager", boto3.client("secretsmanager", config=config))


def sources_of(cls: EnvironmentClass) -> tuple[SecretSource, ...]:
    """Every secret that decides an environment of the class, the key of its password last."""
    key = (SecretSource(id=cls.database_key),) if cls.database and cls.database_key else ()
    return (*cls.secrets, *key)


def mounted_in(cls: EnvironmentClass) -> tuple[SecretSource, ...]:
    """What its builds may mount. None of it decides an environment: what is built is decided by its content."""
    return tuple(SecretSource(id=id_) for id_ in cls.build_secrets.values())


def check(
    client: Callable[[], SecretsManager],
    identity: Identity,
    settings: ApplicationSettings,
    cls: EnvironmentClass,
) -> dict[str, str]:
    """Read the class's secrets as the program will, and learn them; the versions, by what the source is called.

    Those that builds mount are learned before a builder can print them, and are not among the versions.

    Raises:
        SecretError: one is missing or cannot be used, or a required variable is in none.
        UnreachableError: Secrets Manager cannot be asked.
    """
    deciding = sources_of(cls)
    read = _read_all(client, (*deciding, *mounted_in(cls)))
    redaction.spare([identity.ref, identity.stack, identity.namespace])
    redaction.learn(payload.text or "" for payload in read)
    payloads, mounted = read[: len(deciding)], read[len(deciding) :]
    layers = payloads[: len(cls.secrets)]
    reserved = reserved_names(settings.variables, database=cls.database)
    environment_variables(layers, reserved=reserved, required=settings.variables.required)
    for key in payloads[len(cls.secrets) :]:
        redaction.learn([database_password(plain_text(key.source.id, key.text), identity.role)])
    for payload in mounted:
        plain_text(payload.source.id, payload.text)
    return {payload.source.said: payload.version_id for payload in payloads}


def version_of(source: SecretSource, stages: Mapping[str, Sequence[str]]) -> str | None:
    """The id of the version that the source means, of those that there are with their stages. Pure."""
    if source.version is not None:
        # One without a stage is not among them, and can be read all the same.
        return source.version
    return next((version for version, its in stages.items() if (source.stage or CURRENT) in its), None)


class Versions:
    """The versions that are current now, each secret asked for once. No value is read."""

    def __init__(self, client: Callable[[], SecretsManager]) -> None:
        self._client = client
        self._stages: dict[str, Mapping[str, list[str]]] = {}

    def of(self, cls: EnvironmentClass) -> dict[str, str]:
        """The version of each secret of the class, by what the source is called.

        Raises:
            SecretError: there is no such secret or version.
            UnreachableError: Secrets Manager cannot be asked.
        """
        return {source.said: self._version(source) for source in sources_of(cls)}

    def _version(self, source: SecretSource) -> str:
        if source.version is not None:
            return source.version
        if source.id not in self._stages:
            with _asked(f"asking for the versions of the secret {source.id}", source.said):
                described = self._client().describe_secret(SecretId=source.id)
            self._stages[source.id] = described.get("VersionIdsToStages") or {}
        if found := version_of(source, self._stages[source.id]):
            return found
        raise SecretError(no_such_secret(source.said))


def _read_all(client: Callable[[], SecretsManager], sources: Sequence[SecretSource]) -> list[Payload]:
    if not sources:
        return []
    asked = client()
    return [_read(asked, source) for source in sources]


def _read(client: SecretsManager, source: SecretSource) -> Payload:
    version = {"VersionId": source.version} if source.version else {"VersionStage": source.stage or CURRENT}
    with _asked(f"reading the secret {source.said}", source.said):
        found = client.get_secret_value(SecretId=source.id, **version)
    return Payload(source, found["VersionId"], found.get("SecretString"))


@contextmanager
def _asked(what: str, said: str = "") -> Iterator[None]:
    """Say what went wrong."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - see above

    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code == "ResourceNotFoundException":
            raise SecretError(no_such_secret(said)) from None
        if code in ("AccessDeniedException", "DecryptionFailure", "InvalidRequestException"):
            raise SecretError(f"{what} failed: {error}. Nothing was touched.") from None
        raise UnreachableError(f"{what} failed: {error}. Nothing was touched.") from None
    except BotoCoreError as error:
        raise UnreachableError(
            f"{what} failed: {error} AWS_REGION, AWS_PROFILE and the other AWS_* variables decide. Nothing was touched."
        ) from None
