"""How a run ended, for a person and for a program: what every command that changes an environment returns."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from deploytag.delivery.run import Action


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
    SKIPPED = "skipped"
    """There was nothing to do, and `reason` says why: no class, a fork, a newer push, a branch that is gone."""
    FAILED = "failed"
    INTERRUPTED = "interrupted"

    @property
    def ok(self) -> bool:
        """Whether the run did what it was for."""
        return self not in (Result.FAILED, Result.INTERRUPTED)


class Report(BaseModel):
    """One run. `model_dump(mode="json")` is its JSON; keys may be added, and none changes its meaning."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    action: Action
    ref: str | None
    """None where a CI run was about no branch."""
    stack: str | None
    outcome: Result
    revision: str | None = None
    """The commit that serves now, or that failed to; None for what is no deployment."""
    url: str | None = None
    """Where the environment answers; also after a failure, while the version before still does."""
    reason: str | None = None
    """Why it was skipped or failed: sentences."""
    seconds: dict[str, float] = Field(default_factory=dict)
    """How long each phase took, in their order."""
    repaired: tuple[str, ...] = ()
    """What an earlier run had left half done, and what was done about it: a sentence each."""
    removed: tuple[str, ...] = ()
    """What a destroy removed, by kind and name."""
    left: tuple[str, ...] = ()
    """What could not be removed, each with the reason."""
    warnings: tuple[str, ...] = ()
    expires: datetime | None = None
    """When the environment is collected unless somebody pushes."""
