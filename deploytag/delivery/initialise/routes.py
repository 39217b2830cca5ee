"""Which class a CI takes a branch for, before it hands out the class's credentials. Pure.

The policy's table, in what each CI can compare: GitHub has `startsWith` and the like, which do not look at case, and
GitLab has regular expressions. Whether a branch is deployed, and as which class, the policy alone decides, later.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from deploytag.settings import FORKS, Policy

_GITHUBS_REF = "(github.head_ref || github.event_name == 'delete' && github.event.ref || github.ref_name)"
"""Of a pull request, a deletion, a push."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A line of the policy's table: who has the branches that `pattern` means, unless an earlier line has them."""

    pattern: str
    cls: str | None
    """None: nobody."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One of the rules of a GitLab job, of which the first that matches counts."""

    expression: str
    ours: bool
    """Whether the job is for these branches, or for none of them."""


def claims(policy: Policy) -> tuple[Claim, ...]:
    """The table as `Policy.class_name_of` reads it: first what lies below `fork/`, where no pattern counts."""
    patterns = [Claim(cls.pattern, name) for name, cls in policy.classes.items() if not cls.pattern.startswith(FORKS)]
    forks = Claim(f"{FORKS}*", policy.forks)
    needed = forks.cls is not None or any(_overlap(forks, other) for other in patterns)
    return (*([forks] if needed else []), *patterns)


def github_condition(claim: Claim) -> str:
    """An expression that is true for the branches of the pattern, and for some that differ from them in case."""
    first, *others = re.split(r"\*+", claim.pattern)
    if not others:
        return f"{_GITHUBS_REF} == {_quoted(first)}"
    *middle, last = others
    conditions = [("startsWith", first), *(("contains", literal) for literal in middle), ("endsWith", last)]
    calls = [f"{function}({_GITHUBS_REF}, {_quoted(literal)})" for function, literal in conditions if literal]
    return " && ".join(calls) or "true"


def gitlab_rules(table: Sequence[Claim], cls: str) -> tuple[Rule, ...]:
    """The rules of a job for the branches of a class: less what an earlier line of the table may take of them."""
    mine = [index for index, claim in enumerate(table) if claim.cls == cls]
    return tuple(
        Rule(_expression(claim.pattern), ours=index in mine)
        for index, claim in enumerate(table)
        if index in mine or any(index < other and _overlap(claim, table[other]) for other in mine)
    )


def _overlap(one: Claim, other: Claim) -> bool:
    """Whether both may mean the same branch: no, when they begin differently."""
    begins = [claim.pattern.partition("*")[0] for claim in (one, other)]
    return begins[0].startswith(begins[1]) or begins[1].startswith(begins[0])


def _quoted(literal: str) -> str:
    return "'{}'".format(literal.replace("'", "''"))


def _expression(pattern: str) -> str:
    """What GitLab's regular expressions, which are RE2's, call the pattern; between slashes."""
    # Only ASCII: before anything else RE2 allows no backslash.
    literals = [re.sub(r"[!-,./:-@\[-^`{-~]", r"\\\g<0>", literal) for literal in re.split(r"\*+", pattern)]
    return f"^{'.+'.join(literals)}$"
