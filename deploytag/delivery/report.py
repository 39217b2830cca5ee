"""How a run ended, for a person and for a program: what every command that changes an environment returns."""

from datetime import datetime
from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from deploytag.delivery.run import Action
from deploytag.errors import DeployTagError, InterruptedRunError, LeftoverError, kind_of


class Result(StrEnum):
    """How a run ended. The words are part of `--json` and of the CI's outputs, and stay as they are."""

    DEPLOYED = "deployed"
    """The URL answers with what was pushed."""
    UNCHANGED = "unchanged"
    """The environment was as asked already; nothing was written."""
    DESTROYED = "destroyed"
    """Nothing of the environment is left, by a new look."""
    ASLEEP = "asleep"
    AWAKE = "awake"
    SYNCED = "synced"
    """The pods have the newest versions of their secrets; the commit is the one that was deployed."""
    COLLECTED = "collected"
    """What should not exist does not any more, but for what was skipped with a reason."""
    SKIPPED = "skipped"
    """There was nothing to do, and `reason` says why: no class, a fork, a newer push, a branch that is gone."""
    FAILED = "failed"
    INTERRUPTED = "interrupted"

    @property
    def ok(self) -> bool:
        """Whether the run did what it was for."""
        return self not in (Result.FAILED, Result.INTERRUPTED)


class Ending(BaseModel):
    """How it ended. Every document that says so has these keys; keys may be added, and none changes its meaning."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    outcome: Result | None
    """None: nothing was to be done, only said (a dry run)."""
    reason: str | None = None
    """Why it was skipped or failed: sentences."""
    kind: str | None = None
    """What the exit code stands for, as the list of exit codes has it; None: it did not fail."""
    exit_code: int = 0
    """What the command ends with; of one among several runs, what it would have ended with by itself."""
    left: tuple[str, ...] = ()
    """What could not be removed, each with the reason."""

    def ended_by(self, error: Exception) -> Self:
        """The same, as it is when this error ends it."""
        kind = kind_of(error)
        return self.model_copy(
            update={
                "outcome": Result.INTERRUPTED if kind is InterruptedRunError else Result.FAILED,
                "reason": str(error) if isinstance(error, DeployTagError) else f"{type(error).__name__}: {error}",
                "kind": kind.__name__,
                "exit_code": kind.exit_code,
                "left": error.left if isinstance(error, LeftoverError) else self.left,
            }
        )


class Report(Ending):
    """One run, or any command's failure. `model_dump(mode="json")` is its JSON."""

    action: Action | None
    """None where a command failed that is no such run."""
    ref: str | None
    """None where a CI run was about no branch, and where it cannot be told."""
    stack: str | None
    outcome: Result
    """How it ended."""
    revision: str | None = None
    """The commit that serves now, or that failed to; None for what is no deployment."""
    url: str | None = None
    """Where the environment answers; also after a failure, where what was deployed before shows that it still does."""
    seconds: dict[str, float] = Field(default_factory=dict)
    """How long each phase took, in their order."""
    repaired: tuple[str, ...] = ()
    """What an earlier run had left half done, and what was done about it: a sentence each."""
    removed: tuple[str, ...] = ()
    """What a destroy removed, by kind and name."""
    warnings: tuple[str, ...] = ()
    """What went on all the same, and a person should know."""
    expires: datetime | None = None
    """When the environment is collected unless somebody pushes."""

    def ended_by(self, error: Exception) -> Self:
        """The same, as it is when this error ends it."""
        url = error.url if isinstance(error, DeployTagError) else None
        return super().ended_by(error).model_copy(update={"url": url})


def failure(error: Exception, action: Action | None = None, ref: str | None = None, stack: str | None = None) -> Report:
    """What is said of a command that this error ended."""
    return Report(action=action, ref=ref, stack=stack, outcome=Result.FAILED).ended_by(error)
