"""What DeployTag does with secret values: check, derive, compose. Pure; no message here ever holds a value."""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from deploytag.errors import SecretError
from deploytag.settings import VARIABLE_NAME


@dataclass(frozen=True, slots=True)
class DatabaseAddress:
    """Where an environment's database is reached; everything of its URL that is no secret."""

    host: str
    port: int
    database: str
    role: str
    sslmode: str | None = None

    def url(self, password: str) -> str:
        """A libpq connection URI (PostgreSQL manual, 34.1.1.2) with `password` in it: a secret."""
        query = f"?sslmode={self.sslmode}" if self.sslmode else ""
        return (
            f"postgresql://{quote(self.role)}:{quote(password, safe='')}@{self.host}:{self.port}/{self.database}{query}"
        )


def environment_variables(secret_id: str, payload: str | None, reserved: frozenset[str]) -> dict[str, str]:
    """The environment variables in the payload of a Secrets Manager secret: a JSON object, a variable a key.

    Numbers and booleans become their JSON text. `reserved` are the names that DeployTag sets itself.

    Raises:
        SecretError: naming every key that cannot be a variable, never a value.
    """
    if payload is None:
        raise SecretError(f"the secret {secret_id} is binary; a JSON object of environment variables is needed")
    try:
        content = json.loads(payload)
    except ValueError:
        # `from None`: the decoder's own message and frame carry the document, which is the secret.
        raise SecretError(f"the secret {secret_id} is not JSON; an object of environment variables is needed") from None
    if not isinstance(content, dict):
        raise SecretError(f"the secret {secret_id} is JSON but no object; an object of environment variables is needed")
    complaints = [complaint for key, value in content.items() if (complaint := _complaint(key, value, reserved))]
    if complaints:
        raise SecretError(f"the secret {secret_id} cannot become environment variables: {'; '.join(complaints)}")
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in content.items()}


def _complaint(key: str, value: object, reserved: frozenset[str]) -> str | None:
    if not re.fullmatch(VARIABLE_NAME, key):
        return f"the key {key!r} is no name of an environment variable (letters, digits and _, no digit first)"
    if key in reserved:
        return f"the key {key} is set by DeployTag itself"
    if not isinstance(value, str | int | float | bool):
        return f"the value of {key} is no text, number or boolean"
    return None


def text(secret_id: str, payload: str | None) -> str:
    """Any text, as it is: a key that passwords are derived from, or what a build may mount.

    Raises:
        SecretError: it is binary or empty.
    """
    if not payload:
        raise SecretError(f"the secret {secret_id} is {'empty' if payload == '' else 'binary'}; a text is needed")
    return payload


def database_key(secret_id: str, payload: str | None) -> str:
    """The key that passwords are derived from.

    Raises:
        SecretError: as `text`.
    """
    return text(secret_id, payload)


def database_password(key: str, role: str) -> str:
    """The password of a database role, derived from the class's key, so that nothing needs storing."""
    return hmac.new(key.encode(), f"postgresql role {role}".encode(), hashlib.sha256).hexdigest()


def env_secret_name(deciding: Mapping[str, object]) -> str:
    """The name of the immutable Kubernetes Secret whose content `deciding` decides (none of it secret).

    Another version of a secret is another name, so the pods that refer to it are rolled by Kubernetes itself.
    """
    digest = hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest()
    return f"env-{digest[:12]}"
