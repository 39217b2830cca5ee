"""Region, credentials and endpoints: from the provider's settings, else where boto3 finds them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.plugins.provider import InvalidInputError, Properties, config_value, reveal

_HONOURED = frozenset({"region", "accessKey", "secretKey", "token", "profile", "endpoints", "insecure"})
# True of this plugin whatever they say, since it validates nothing and asks nobody for an account or metadata.
_MOOT = frozenset(
    {
        "s3UsePathStyle",
        "skipCredentialsValidation",
        "skipMetadataApiCheck",
        "skipRegionValidation",
        "skipRequestingAccountId",
    }
)
SUPPORTED = _HONOURED | _MOOT


@dataclass(frozen=True)
class Settings:
    """What is needed to make a client; None leaves it to boto3."""

    region: str | None = None
    access_key: str | None = None
    secret_key: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    profile: str | None = None
    endpoint: str | None = None
    insecure: bool = False

    @classmethod
    def read(cls, config: Properties, environment: Mapping[str, str]) -> "Settings":
        """Combine settings and environment; boto3 itself reads only AWS_DEFAULT_REGION."""
        known = reveal(config)
        return cls(
            region=known.get("region") or environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION"),
            access_key=known.get("accessKey"),
            secret_key=known.get("secretKey"),
            token=known.get("token"),
            profile=known.get("profile") or environment.get("AWS_PROFILE"),
            endpoint=_endpoint(config_value(known, "endpoints")),
            insecure=config_value(known, "insecure") is True,
        )


def _endpoint(endpoints: Any) -> str | None:
    """The endpoint of Secrets Manager in `aws:endpoints`, a list of maps from service to address."""
    if not endpoints:
        return None
    if not isinstance(endpoints, list) or not all(isinstance(each, dict) for each in endpoints):
        raise InvalidInputError("`aws:endpoints` must be a list of maps, as in [{secretsmanager: http://...}].")
    found = [each["secretsmanager"] for each in endpoints if each.get("secretsmanager")]
    return str(found[0]) if found else None
