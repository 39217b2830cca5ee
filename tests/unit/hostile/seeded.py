"""Hostile refs and secrets by the hundred thousand, from a seed."""

import json
import random
import string
from collections.abc import Iterator

from deploytag.errors import DeployTagError
from deploytag.identity import Identity, identify
from deploytag.secrets import Payload, env_secret_name, environment_variables
from deploytag.settings import SecretSource
from tests.unit.hostile.strategies import NASTY

_ALPHABETS = (
    string.ascii_letters + string.digits + "/-_.",
    string.printable,
    "".join(map(chr, range(0x20))) + "a/",
    "äéßœΣаеор漢字\u0301\u202e\u2028\ufeff\ud800\U0001f600",
    "/.-@{~^:?*[\\ ",
    "$`;|&<>(){}!'\"\\ %#\n",
)


def text(rng: random.Random) -> str:
    """One text: a few nasty pieces, some of them long."""
    pieces = []
    for _ in range(rng.randint(1, 4)):
        if rng.random() < 0.5:
            pieces.append(rng.choice(NASTY))
        else:
            length = rng.choice((1, 3, 12, 60)) if rng.random() < 0.98 else 10_000
            pieces.append("".join(rng.choices(rng.choice(_ALPHABETS), k=length)))
    return rng.choice(("", "feature/", "-", "refs/heads/")) + "".join(pieces)


def refs(count: int, seed: int) -> Iterator[str]:
    """So many names that somebody could try to push."""
    rng = random.Random(seed)
    for _ in range(count):
        yield text(rng)


def payloads(count: int, seed: int) -> Iterator[str]:
    """So many contents of secrets; some of 64 kB, which is Secrets Manager's limit."""
    rng = random.Random(seed)
    for number in range(count):
        if number % 1000 == 0:
            yield rng.choice(("[" * 65_536, json.dumps({"A": "x" * 65_000}), '{"A":' * 10_000, "\0" * 65_536))
            continue
        content = {rng.choice(("A", "B_1", text(rng))): _value(rng) for _ in range(rng.randint(0, 4))}
        written = json.dumps(content, ensure_ascii=rng.random() < 0.5)
        yield written if rng.random() < 0.9 else written[: rng.randrange(len(written) + 1)]


def _value(rng: random.Random) -> object:
    return rng.choice((text(rng), rng.random(), rng.randint(-(1 << 70), 1 << 70), True, None, [text(rng)], {"a": {}}))


def names(ref: str) -> Identity | None:
    """What `ref` is given; None when it is refused with one of our sentences."""
    try:
        found = identify("shop", ref)
    except DeployTagError as error:
        assert str(error)
        return None
    for name in (found.namespace, found.release, found.database, found.role, found.host, found.stack):
        assert name.isascii()
        assert name.replace("-", "").replace("_", "").isalnum()
        assert name == name.lower()
        assert name[0].isalnum()
        assert len(name) <= 63
    return found


def variables(payload: str) -> dict[str, str] | None:
    """What the secret becomes; None when it is refused, without a word of its values."""
    try:
        found = environment_variables(
            [Payload(SecretSource(id="staging/app"), "1", payload)], reserved={"DATABASE_URL"}
        )
    except DeployTagError as error:
        said = str(error)
        # Keys are named; of a content that could not be read, nothing is.
        if "is not JSON" in said:
            assert len(said) < 200
        return None
    for value in found.values():
        assert "\0" not in value
        value.encode()
    env_secret_name({"keys": sorted(found)})
    return found
