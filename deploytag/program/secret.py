"""Reads AWS Secrets Manager. The only place where a secret enters the program."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

import pulumi
import pulumi_aws as aws

from deploytag import redaction
from deploytag.errors import SecretError
from deploytag.secrets import Payload, no_such_secret, plain_text
from deploytag.settings import SecretSource

Content = TypeVar("Content")


@dataclass(frozen=True, slots=True)
class SecretVersions(Generic[Content]):
    """What was made of one or several secrets. `content` is a secret output; the rest is not secret."""

    versions: tuple[tuple[SecretSource, str], ...]
    """Each secret, and the id of the version that was read."""
    content: pulumi.Output[Content]


def read_layers(
    sources: Sequence[SecretSource], compose: Callable[[Sequence[Payload]], dict[str, str]]
) -> SecretVersions[dict[str, str]]:
    """The secrets in their order, given to `compose`.

    Raises:
        SecretError: one is not there, AWS cannot be asked, or `compose` refuses it.
    """
    payloads = [_read(source) for source in sources]
    return SecretVersions(
        tuple((payload.source, payload.version_id) for payload in payloads), pulumi.Output.secret(compose(payloads))
    )


def read_text(secret_id: str) -> SecretVersions[str]:
    """A secret as it is: a key that passwords are derived from, or what a build may mount.

    Raises:
        SecretError: it is not there, AWS cannot be asked, or it is no text.
    """
    payload = _read(SecretSource(id=secret_id))
    content = pulumi.Output.secret(plain_text(secret_id, payload.text))
    return SecretVersions(((payload.source, payload.version_id),), content)


def _read(source: SecretSource) -> Payload:
    """One version of one secret.

    The provider hands the value over in clear (pulumi-aws#1449, open since 2021), so whoever calls this wraps what is
    made of it before anyone else sees it. Called rather than declared, so that a secret that is missing or cannot be
    used ends the program before its first resource: an error in the `_output` form of the function cannot be caught.
    """
    read = partial(aws.secretsmanager.get_secret_version, secret_id=source.id)
    try:
        # Never both: the provider takes the version, and the stage would be compared with it.
        found = read(version_id=source.version) if source.version else read(version_stage=source.stage)
    except Exception as error:
        raise SecretError(_explain(source.said, str(error))) from None
    if not found.version_id:
        raise SecretError(f"the secret {source.said} could not be read: the AWS provider is not configured yet")
    text = None if found.secret_binary else found.secret_string
    redaction.learn([text or ""])
    return Payload(source, found.version_id, text)


def _explain(said: str, message: str) -> str:
    if "ResourceNotFoundException" in message or "couldn't find resource" in message:
        return no_such_secret(said)
    return f"the secret {said} could not be read from AWS Secrets Manager: {message.strip()}"
