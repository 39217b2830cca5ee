"""The names of git refs: which are possible, and which a pattern of the policy means (pure).

Kept apart from `ref.py`, which finds out *which* ref this run is for, so that settings and identity depend on no I/O.
"""

from __future__ import annotations

import re
from functools import lru_cache

from deploytag.errors import RefError

# Control characters, what git's own notations use, and surrogates: text that is not valid UTF-8.
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f~^:?*\[\\\ud800-\udfff]|\.\.|@\{|//")


def check_ref(ref: str) -> str:
    """Return `ref` when git could have a branch of that name; otherwise say why it cannot.

    These are the rules of `git check-ref-format`, and the two that `git branch` adds: no leading dash, not `HEAD`.
    A name git refuses reaches us only by a typing error or by somebody's intent; neither may become an environment.
    """
    if not ref:
        raise RefError("The name of the branch is empty. Name the branch, for example feature/test.")
    if problem := _problem(ref):
        raise RefError(f"{ref!r} is no name of a git branch or tag: {problem}.")
    return ref


def _problem(ref: str) -> str | None:
    if found := _FORBIDDEN.search(ref):
        return f"it contains {found.group()!r}"
    return _edge_problem(ref) or next(filter(None, map(_component_problem, ref.split("/"))), None)


def _edge_problem(ref: str) -> str | None:
    if ref in ("@", "HEAD"):
        return "git means the current commit by it"
    if ref.startswith(("-", "/")):
        return f"it begins with {ref[0]!r}"
    if ref.endswith((".", "/")):
        return f"it ends with {ref[-1]!r}"
    return None


def _component_problem(component: str) -> str | None:
    if component.startswith("."):
        return f"its part {component!r} begins with a dot"
    if component.endswith(".lock"):
        return f"its part {component!r} ends with '.lock'"
    return None


def check_pattern(pattern: str) -> str:
    """Return `pattern` when some ref could match it; otherwise say why none can."""
    try:
        check_ref(pattern.replace("*", "x"))
    except RefError as error:
        raise RefError(f"The pattern {pattern!r} can match no branch or tag. {error}") from None
    return pattern


def matches(pattern: str, ref: str) -> bool:
    """Whether a class's `pattern` means `ref`.

    `*` stands for one or more characters, slashes included: `feature/*` is everything below `feature/`, at any depth.
    Everything else stands for itself, capitals too, so a pattern without `*` means exactly one ref.
    """
    return _compiled(pattern).fullmatch(ref) is not None


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    # Runs of stars mean what one star means; without this, "****" would backtrack for ever on a ref it does not match.
    literal = re.sub(r"\*+", "*", pattern).split("*")
    return re.compile(".+".join(map(re.escape, literal)), re.DOTALL)
