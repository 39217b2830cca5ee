"""Reading a secret's value from Secrets Manager."""

import base64
import threading
from typing import TYPE_CHECKING, Any, Final

from sandbox.plugins.aws.settings import Settings
from sandbox.plugins.provider import (
    InvalidInputError,
    NotFoundError,
    Properties,
    ProviderError,
    UnreachableError,
    reveal,
)
from sandbox.plugins.provider import Secret as SecretValue

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

GET_SECRET_VERSION: Final = "aws:secretsmanager/getSecretVersion:getSecretVersion"  # noqa: S105 (a token, no password)
_ARGUMENTS: Final = frozenset({"secretId", "versionId", "versionStage", "region"})
_CURRENT: Final = "AWSCURRENT"
# Two attempts stay below the ten seconds after which a person should read what is wrong.
_CONNECT_SECONDS: Final = 4
_READ_SECONDS: Final = 10
_ATTEMPTS: Final = 2
_MISSING: Final = ("ResourceNotFoundException", "InvalidRequestException")


class SecretsManager:
    """The service, one client per region; clients may be used by several threads, making them may not."""

    def __init__(self, settings: Settings) -> None:
        """Make no client yet: boto3 takes 0.4 s to import."""
        self._settings = settings
        self._clients: dict[str | None, SecretsManagerClient] = {}
        self._lock = threading.Lock()

    def get_secret_version(self, arguments: Properties) -> Properties:
        """The value, always secret, with what identifies it."""
        unknown = arguments.keys() - _ARGUMENTS
        if unknown:
            raise InvalidInputError(f"getSecretVersion has no argument {', '.join(sorted(unknown))}.")
        known = reveal(arguments)
        secret_id = known.get("secretId")
        if not isinstance(secret_id, str) or not secret_id:
            raise InvalidInputError("getSecretVersion needs `secretId`: the name or the ARN of the secret.")
        region = known.get("region") or self._settings.region
        version_id, stage = known.get("versionId"), known.get("versionStage") or _CURRENT
        wanted: dict[str, Any] = {"VersionId": version_id} if version_id else {"VersionStage": stage}
        found = self._read(secret_id, region, wanted)
        result: Properties = {
            "arn": found["ARN"],
            "createdDate": found["CreatedDate"].strftime("%Y-%m-%dT%H:%M:%SZ"),
            "id": f"{secret_id}|{version_id or stage}",
            "region": region,
            "secretArn": found["ARN"],
            "secretId": secret_id,
            "versionId": found["VersionId"],
            "versionStages": sorted(found.get("VersionStages", [])),
            # Always secret. The official plugin's are not (pulumi-aws#1449), so a program must not rely on it.
            "secretString": SecretValue(found.get("SecretString", "")),
            "secretBinary": SecretValue(base64.b64encode(found.get("SecretBinary", b"")).decode()),
        }
        return result if version_id else {**result, "versionStage": stage}

    def _read(self, secret_id: str, region: str | None, wanted: dict[str, Any]) -> Any:
        import botocore.exceptions as aws  # noqa: PLC0415 (slow to import)

        doing = f"Error reading the version {'/'.join(wanted.values())} of the secret {secret_id!r}"
        try:
            client = self._client(region)
            return client.get_secret_value(SecretId=secret_id, **wanted)
        except aws.ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            kind = NotFoundError if code in _MISSING else ProviderError
            raise kind(f"{doing}: {code}: {error.response.get('Error', {}).get('Message', '')}") from None
        except aws.NoRegionError:
            raise InvalidInputError(f"{doing}: no region is set. Set `aws:region` or AWS_REGION.") from None
        except (aws.NoCredentialsError, aws.PartialCredentialsError, aws.ProfileNotFound) as error:
            raise InvalidInputError(
                f"{doing}: {error}. Credentials come from the settings `aws:accessKey` and `aws:secretKey`, from "
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or from a profile."
            ) from None
        except aws.BotoCoreError as error:
            raise UnreachableError(
                f"{doing}: {error} The endpoint comes from the setting `aws:endpoints` or from "
                "AWS_ENDPOINT_URL_SECRETS_MANAGER or AWS_ENDPOINT_URL, else it is AWS's own of the region."
            ) from None

    def _client(self, region: str | None) -> "SecretsManagerClient":
        import boto3  # noqa: PLC0415 (slow to import)
        from botocore.config import Config  # noqa: PLC0415

        settings = self._settings
        with self._lock:
            if region not in self._clients:
                session = boto3.session.Session(
                    aws_access_key_id=settings.access_key,
                    aws_secret_access_key=settings.secret_key,
                    aws_session_token=settings.token,
                    profile_name=settings.profile,
                    region_name=region,
                )
                self._clients[region] = session.client(
                    "secretsmanager",
                    endpoint_url=settings.endpoint,
                    verify=False if settings.insecure else None,
                    config=Config(
                        connect_timeout=_CONNECT_SECONDS,
                        read_timeout=_READ_SECONDS,
                        retries={"total_max_attempts": _ATTEMPTS, "mode": "standard"},
                    ),
                )
            return self._clients[region]
