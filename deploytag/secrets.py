"""From secrets of Secrets Manager to an environment's variables. Pure; no message here ever holds a value.

Each secret is a layer, and a later one is put over the earlier ones. A secret is a JSON object: texts are taken as they
are, everything else as compact JSON, and `null` unsets what an earlier layer set.
"""

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, TypeAlias

from deploytag.contract import CHART_VARIABLES
from deploytag.errors import SecretError
from deploytag.settings import VARIABLE_NAME, SecretSource, Variables

SIZE_LIMIT = (1 << 20) - (4 << 10)
"""Bytes of all values together: a mebibyte, as much as a Kubernetes Secret may hold, less room for a database URL."""

VARIABLE_LIMIT = (128 << 10) - 1
"""Bytes of one variable, `NAME=value`: Linux starts no program with a longer one (MAX_ARG_STRLEN, with its NUL)."""

_RULES = 1
"""Of how secrets become variables. Counted up when the same secrets are to become other variables, as it is a part of
the Kubernetes Secret's name, under which the content never changes."""

Layer: TypeAlias = Mapping[str, str | None]
"""Variables of one secret; None unsets."""


@dataclass(frozen=True, slots=True)
class Payload:
    """What Secrets Manager holds of one version."""

    source: SecretSource
    version_id: str
    text: str | None
    """A secret. None: it is binary."""


def environment_variables(
    payloads: Sequence[Payload], *, reserved: AbstractSet[str], required: Sequence[str] = ()
) -> dict[str, str]:
    """The variables of an environment, from the secrets of its class in their order.

    Args:
        payloads: the class's secrets.
        reserved: names that DeployTag or the chart sets itself, see `reserved_names`.
        required: names that the application cannot do without.

    Raises:
        SecretError: naming every key that cannot be a variable and every one that is missing, never a value.
    """
    variables: dict[str, str] = {}
    for payload in payloads:
        for name, value in _layer(payload, reserved).items():
            variables.pop(name, None)
            if value is not None:
                variables[name] = value
    if missing := [name for name in required if name not in variables and name not in reserved]:
        where = ", ".join(payload.source.said for payload in payloads)
        raise SecretError(
            f"the application needs {', '.join(missing)} (`variables.required` in deploytag.yaml), and "
            + (f"no secret of its class sets that: {where}." if where else "its class has no secrets.")
        )
    _check_size(variables)
    return variables


def reserved_names(names: Variables, *, database: bool) -> frozenset[str]:
    """Variables that no secret may set, because DeployTag or the chart does; `database`: whether the class has one."""
    return CHART_VARIABLES | {names.redis} | ({names.database} if database else set())


def _layer(payload: Payload, reserved: AbstractSet[str]) -> Layer:
    """One secret as variables."""
    said, keys = payload.source.said, payload.source.keys
    content = _object(said, payload.text)
    if keys is None:
        named = [(key, key) for key in content]
    else:
        named = [(key, name) for key, name in keys.items() if key in content]
    complaints = [f"it has no key {key!r}, which `keys` names" for key in keys or () if key not in content]
    variables: dict[str, str | None] = {}
    for key, name in named:
        variables[name] = text = _text(content[key])
        if complaint := _complaint(key, name, text, reserved):
            complaints.append(complaint)
    if complaints:
        raise SecretError(f"the secret {said} cannot become environment variables: {'; '.join(complaints)}")
    return variables


def _object(said: str, text: str | None) -> dict[str, Any]:
    needed = "an object of environment variables is needed"
    if text is None:
        raise SecretError(f"the secret {said} is binary; a JSON object of environment variables is needed")
    twice: set[str] = set()

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        twice.update(key for key, times in Counter(key for key, _ in found).items() if times > 1)
        return dict(found)

    try:
        content = json.loads(text, object_pairs_hook=pairs, parse_constant=_finite, parse_float=_finite)
    except (ValueError, RecursionError):
        # `from None`: the decoder's own message and frame carry the document, which is the secret.
        raise SecretError(f"the secret {said} is not JSON; {needed}") from None
    if not isinstance(content, dict):
        raise SecretError(f"the secret {said} is JSON but no object; {needed}")
    if twice:
        raise SecretError(f"the secret {said} has a key more than once: {', '.join(map(repr, sorted(twice)))}")
    return content


def _finite(number: str) -> float:
    """Python's decoder takes NaN and Infinity, and 1e999 for the latter; neither can be written as JSON again."""
    if not math.isfinite(value := float(number)):
        raise ValueError("no finite number")
    return value


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _complaint(key: str, name: str, text: str | None, reserved: AbstractSet[str]) -> str | None:
    if not re.fullmatch(VARIABLE_NAME, name):
        return f"the key {key!r} is no name of an environment variable (letters, digits and _, no digit first)"
    as_name = name if name == key else f"{name} (from {key!r})"
    if name in reserved:
        return f"the key {as_name} is set by DeployTag itself"
    return None if text is None else _unfit(as_name, name, text)


def _unfit(said: str, name: str, text: str) -> str | None:
    """Why no program can be given this value."""
    if "\0" in text:
        return f"the value of {said} contains a NUL, which no environment variable can"
    try:
        size = len(name) + 1 + len(text.encode())
    except UnicodeEncodeError:
        return f"the value of {said} is no valid text (it has half of a surrogate pair)"
    if size > VARIABLE_LIMIT:
        return f"the value of {said} is too long: {size} bytes with its name, and {VARIABLE_LIMIT} are possible"
    return None


def _check_size(variables: Mapping[str, str]) -> None:
    sizes = {name: len(value.encode()) for name, value in variables.items()}
    if (total := sum(sizes.values())) > SIZE_LIMIT:
        largest = sorted(sizes, key=lambda name: -sizes[name])[:3]
        raise SecretError(
            f"the variables are {total} bytes together, and a Kubernetes Secret holds {SIZE_LIMIT}: the largest are "
            f"{', '.join(f'{name} ({sizes[name]})' for name in largest)}. Keep large things in a file or a bucket."
        )


def plain_text(secret_id: str, payload: str | None) -> str:
    """Any text, as it is: a key that passwords are derived from, or what a build may mount.

    Raises:
        SecretError: it is binary, empty or no valid text.
    """
    if not payload:
        raise SecretError(f"the secret {secret_id} is {'empty' if payload == '' else 'binary'}; a text is needed")
    try:
        payload.encode()
    except UnicodeEncodeError:
        # `from None`: the error carries the text.
        raise SecretError(f"the secret {secret_id} is no valid text (it has half of a surrogate pair)") from None
    return payload


def env_secret_name(deciding: Mapping[str, object]) -> str:
    """The name of the immutable Kubernetes Secret whose content `deciding` decides (none of it secret).

    Another version of a secret is another name, so the pods that refer to it are rolled by Kubernetes itself.
    """
    digest = hashlib.sha256(json.dumps({"rules": _RULES, **deciding}, sort_keys=True).encode()).hexdigest()
    return f"env-{digest[:12]}"


def determinants(versions: Sequence[tuple[SecretSource, str]]) -> list[object]:
    """What of the class's secrets decides the variables, in order, without a value: id, version and mapping."""
    return [[source.id, version_id, source.keys] for source, version_id in versions]


def no_such_secret(said: str) -> str:
    """What is said when Secrets Manager has no such secret, or not that version of it."""
    return (
        f"there is no secret {said} in AWS Secrets Manager (asked with the AWS_* environment's account and region). "
        "Create it, or name another in deploytag.policy.yaml."
    )
