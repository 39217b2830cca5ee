"""What a check says: fine, a warning or a problem; what was seen, and what to do. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from deploytag.errors import DeployTagError, UnreachableError


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    """A run can work all the same, or it could not be told."""
    PROBLEM = "problem"
    """A run would fail."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    level: Level
    seen: str
    cure: str = ""
    kind: type[DeployTagError] = UnreachableError
    """Of a problem: the error a run would end with, hence the exit code."""


def ok(seen: str) -> Finding:
    """It is as it should be."""
    return Finding(Level.OK, seen)


def warning(seen: str, cure: str) -> Finding:
    """A run may work all the same."""
    return Finding(Level.WARNING, seen, cure)


def problem(seen: str, cure: str = "", kind: type[DeployTagError] = UnreachableError) -> Finding:
    """A run would fail, with an error of `kind`."""
    return Finding(Level.PROBLEM, seen, cure, kind)


@dataclass(frozen=True, slots=True)
class Check:
    """Something to look at. `look` blocks; it only reads, or takes back at once what it did."""

    name: str
    look: Callable[[], Iterable[Finding]]
    seconds: float = 15
    """The most it may take."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one check found."""

    check: str
    findings: tuple[Finding, ...]


def exit_code(results: Sequence[CheckResult]) -> int:
    """The code of the first problem, 0 without one.

    Checks are listed from causes to consequences, so the first problem is the one to put right first.
    """
    return next(
        (finding.kind.exit_code for result in results for finding in result.findings if finding.level is Level.PROBLEM),
        0,
    )
