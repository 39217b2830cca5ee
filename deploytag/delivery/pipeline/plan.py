"""What a CI run is to do: from the CI's own variables, the remote and the policy to a plan (pure).

The CI's event says when to look; the remote says what is true. So an event that comes late, twice or in the wrong order
leads to the same environment as one that comes in time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from deploytag.ci import Event, Trigger
from deploytag.errors import ForkError
from deploytag.ref import Ref, decide_ref, decide_revision, decide_trigger
from deploytag.repository import Head
from deploytag.settings import Policy


@dataclass(frozen=True, slots=True)
class Deploy:
    """Bring the environment of `ref` to `commit`."""

    ref: str
    commit: str
    """What this run was started for; whether it is still the newest is for the run to see, under its lease."""


@dataclass(frozen=True, slots=True)
class Destroy:
    """Remove the environment of `ref`, if there is one."""

    ref: str
    why: str
    asked_for: bool = False
    """Whether somebody wants it gone though its branch may be there. Otherwise a branch that was made again stays."""
    classless: bool = False
    """Whether the policy has no class for it: there should be no environment, and this run may have no credentials."""


@dataclass(frozen=True, slots=True)
class Gc:
    """Collect what no branch needs any more."""


@dataclass(frozen=True, slots=True)
class Skip:
    """Do nothing, and succeed."""

    why: str
    ref: str | None = None


Plan: TypeAlias = Deploy | Destroy | Gc | Skip


def decide(
    environ: Mapping[str, str],
    event: Callable[[], Event],
    head: Callable[[], Head],
    tip: Callable[[str], str | None],
    policy: Policy,
) -> Plan:
    """Choose. `event`, `head` and `tip` (of the remote, by ref) are asked only when the answer matters.

    Raises:
        RefError: which branch this is cannot be told.
        UnreachableError, SettingsError: as `tip` does.
    """
    trigger = decide_trigger(environ, event)
    if trigger is Trigger.SCHEDULE:
        return Gc()
    if trigger is Trigger.OTHER:
        return Skip("What started this CI run concerns no branch. To deploy one all the same, set DEPLOYTAG_BRANCH.")
    try:
        ref = decide_ref(None, environ, event, head)
    except ForkError as error:
        return Skip(str(error))
    if trigger is Trigger.STOP:
        return Destroy(ref.name, f"The CI was told to stop the environment of {ref.name}.", asked_for=True)
    if tip(ref.name) is None:
        return _gone(ref, policy)
    return _there(ref, trigger, policy, lambda: decide_revision(environ, event, lambda: head().commit))


def _gone(ref: Ref, policy: Policy) -> Plan:
    if ref.source == "git":
        # No CI was ever told of this branch: a person tries the command in a checkout, and has not pushed.
        return Skip(
            f"The remote has no {ref.name}, so there is nothing to deploy. Push it first. If it was deleted there, "
            f"`deploytag destroy {ref.name}` removes its environment.",
            ref.name,
        )
    return Destroy(ref.name, f"{ref.name} is gone from the remote.", classless=policy.refusal(ref.name) is not None)


def _there(ref: Ref, trigger: Trigger, policy: Policy, commit: Callable[[], str]) -> Plan:
    if trigger is Trigger.DELETION:
        return Skip(f"{ref.name} was deleted, but it is on the remote again: its newest push deploys it.", ref.name)
    if trigger is Trigger.CLOSED:
        return Skip(
            f"The pull request was closed, but its branch {ref.name} is still there: an environment lives as long as "
            "its branch. Delete the branch to remove it.",
            ref.name,
        )
    if (refusal := policy.refusal(ref.name)) is not None:
        return Skip(refusal, ref.name)
    return Deploy(ref.name, commit())
