"""The names of git refs: which are possible, and which a pattern of the policy means (pure).

Kept apart from `ref.py`, which finds out *which* ref this run is for, so that settings and identity depend on no I/O.
"""

from __future__ import annotations

import re

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
    # Not a regular expression: `*-*-*` would try for hours on a name of many dashes that somebody pushed.
    first, *others = re.sub(r"\*+", "*", pattern).split("*")
    if not others:
        return ref == first
    if not ref.startswith(first):
        return False
    place = len(first)
    *middle, last = others
    for literal in middle:  # each as early as can be, which leaves the most to the ones after it
        found = ref.find(literal, place + 1)
        if found < 0:
            return False
        place = found + len(literal)
    return ref.endswith(last) and len(ref) - len(last) > place
