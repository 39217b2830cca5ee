"""Pairs of project and ref that try to get each other's names: what peers' users ran into, mixed by a seed."""

import random
import unicodedata
from collections.abc import Callable, Iterator

from deploytag.errors import DeployTagError
from deploytag.identity import HASH_ALPHABET, HASH_LENGTH, Identity, identify

Pair = tuple[str, str]

_WORDS = ("a", "b", "shop", "feature", "bug", "x", "test", "kube", "pg", "current", "user", "system", "v1", "2048")
_SEPARATORS = ("-", "/", "_", ".", "--", "-/", "/-", "é", "e\u0301", " ", "%2f")
_LONG = "a-very-long-branch-name-that-somebody-pasted-from-a-ticket-title"


def _sentence(rng: random.Random) -> Pair:
    """Few words, all separators: the same text cut into project and ref at different places."""
    words = [rng.choice(_WORDS) for _ in range(rng.randint(2, 5))]
    cut = rng.randrange(1, len(words))
    project = rng.choice(("-", "_", ".")).join(words[:cut])
    ref = words[cut] + "".join(rng.choice(_SEPARATORS) + word for word in words[cut + 1 :])
    return project, ref


def _long(rng: random.Random) -> Pair:
    """Long names that differ only where a truncation would cut, at the tail or in the middle."""
    word = "".join(rng.choice("ab") for _ in range(8))
    spare = "z" * rng.randrange(40)
    return rng.choice(
        (
            ("shop", f"feature/{_LONG}{word}{spare}"),
            ("shop", f"feature/{word}{_LONG}{spare}"),
            ("shop", f"{_LONG}/{word}"),
            (f"{_LONG}{word}", "feature/test"),
            ("s" * rng.randrange(10, 60), f"feature/{'t' * rng.randrange(1, 60)}"),
        )
    )


def _spelled(rng: random.Random) -> Pair:
    """Another spelling of another pair: case, Unicode form, separators."""
    project, ref = _sentence(rng)
    change: Callable[[str], str] = rng.choice(
        (str.upper, str.title, str.swapcase, lambda text: unicodedata.normalize("NFD", text), lambda text: text + "-")
    )
    return rng.choice(((change(project), ref), (project, change(ref))))


def _stolen(rng: random.Random) -> Pair:
    """A pair spelled like the name that another pair was given."""
    project, ref = rng.choice((_sentence, _long, _spelled))(rng)
    try:
        names = identify(project, ref)
    except DeployTagError:
        return project, ref
    return rng.choice(
        (
            (project, names.stack),
            (project, names.stack.replace("-", "/", 1)),
            (project, names.stack.replace("-", "/")),
            (names.namespace, ref),
            (project, names.namespace.removeprefix(f"{project}-")),
            (project.split("-")[0], names.namespace.partition("-")[2]),
            ("p", names.namespace),
            (project, names.database),
        )
    )


def _hash_like(rng: random.Random) -> Pair:
    """A ref that ends like a hashed name."""
    tail = "".join(rng.choice(HASH_ALPHABET) for _ in range(rng.randint(HASH_LENGTH - 1, HASH_LENGTH + 1)))
    return rng.choice(
        (("shop", tail), ("shop", f"feature/{tail}"), ("shop", f"feature/x-{tail}"), (f"shop-{tail}", "x"))
    )


def identities(count: int, seed: int = 0) -> Iterator[Identity]:
    """The names of `count` pairs, all different, that both Pulumi and git accept."""
    rng = random.Random(seed)
    seen: set[Pair] = set()
    kinds = (_sentence, _long, _spelled, _stolen, _hash_like)
    while len(seen) < count:
        pair = rng.choice(kinds)(rng)
        if pair in seen:
            continue
        try:
            names = identify(*pair)
        except DeployTagError:
            continue
        seen.add(pair)
        yield names
