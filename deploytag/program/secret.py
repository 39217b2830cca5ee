"""Reads AWS Secrets Manager. The only place where a secret enters the program."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import pulumi
import pulumi_aws as aws

from deploytag.errors import SecretError

Content = TypeVar("Content")


@dataclass(frozen=True, slots=True)
class SecretVersion(Generic[Content]):
    """One version of one secret. `content` is a secret output."""

    secret_id: str
    version_id: str
    content: pulumi.Output[Content]


def read(secret_id: str, parse: Callable[[str, str | None], Content]) -> SecretVersion[Content]:
    """The current version of a secret, its payload given to `parse` (None for a binary one).

    The provider hands the value over in clear (pulumi-aws#1449, open since 2021), so it is wrapped here, before anyone
    else sees it; the version's id is the only thing let out. Called rather than declared, so that a secret that is
    missing or cannot be used ends the program before its first resource: an error in the `_output` form of the
    function cannot be caught.

    Raises:
        SecretError: it is not there, AWS cannot be asked, or `parse` refuses it.
    """
    try:
        result = aws.secretsmanager.get_secret_version(secret_id=secret_id)
    except Exception as error:
        raise SecretError(_explain(secret_id, str(error))) from None
    if not result.version_id:
        raise SecretError(f"the secret {secret_id} could not be read: the AWS provider is not configured yet")
    payload = None if result.secret_binary else result.secret_string
    return SecretVersion(secret_id, result.version_id, pulumi.Output.secret(parse(secret_id, payload)))


def _explain(secret_id: str, message: str) -> str:
    if "ResourceNotFoundException" in message or "couldn't find resource" in message:
        return (
            f"there is no secret {secret_id} in AWS Secrets Manager (asked with the AWS_* environment's account and "
            "region). Create it, or name another in deploytag.policy.yaml."
        )
    return f"the secret {secret_id} could not be read from AWS Secrets Manager: {message.strip()}"
