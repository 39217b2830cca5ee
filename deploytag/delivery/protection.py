"""What is never replaced in an environment whose class is protected.

Pulumi's `protect` alone would not do. The engine keeps to what the state says, so a program that lifts the protection
and replaces at once is refused; but it finds that out while it works, with other resources changed already, and a
program may lift it in one push and replace in the next. So the plan is looked at before anything is touched.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Protocol

from deploytag.delivery.engine import EngineResult
from deploytag.delivery.events import Step
from deploytag.delivery.progress import Progress
from deploytag.delivery.resource_types import DATABASE, NAMESPACE, ROLE
from deploytag.errors import DeploymentError, ProtectedError
from deploytag.settings import EnvironmentClass

KEPT = {
    NAMESPACE: "namespace",
    DATABASE: "database",
    ROLE: "database's role",
}
"""Types of resources that hold data, or without which it is lost."""

ENDS = frozenset({"delete", "replace", "create-replacement", "delete-replaced", "discard", "discard-replaced"})
"""Operations after which what was there is not there any more."""

REFUSES = ("marked for protection", "is protected")
"""What the engine says when a plan would end what its state protects."""

_NAME = re.compile(r"urn:pulumi:[^\"\s]*::([^\":\s]+)")


def ending(steps: Iterable[Step]) -> tuple[str, ...]:
    """What of a protected environment a plan would end, a word and a name each. Pure."""
    return tuple(
        dict.fromkeys(
            f"the {KEPT[step.type]} {step.name}" for step in steps if step.type in KEPT and step.operation in ENDS
        )
    )


class Planner(Protocol):
    """What knows what a program would do."""

    def preview(self) -> tuple[EngineResult, Sequence[Step]]:
        """How looking ahead ended, and the steps it saw."""
        ...


def refuse_ending(cls: EnvironmentClass, ref: str, engine: Planner, progress: Progress) -> None:
    """Refuse a program that would replace or delete what the environment of a protected class keeps.

    Other classes keep nothing, and are not asked for their plan.

    Raises:
        ProtectedError: it would; nothing was touched.
        DeploymentError: the program has no plan.
    """
    if not cls.protected:
        return
    with progress.phase("preview"):
        result, steps = engine.preview()
    if sentence := refusal(ref, result, steps):
        raise ProtectedError(sentence)
    if not result.ok:
        raise DeploymentError(f"{ref} was not deployed, nothing was touched: {result.complaint}")


def refusal(ref: str, result: EngineResult, steps: Iterable[Step]) -> str | None:
    """Why the plan is refused; None when it is not. Pure."""
    what = ", ".join(ending(steps))
    if not what and not result.ok and any(words in result.complaint for words in REFUSES):
        names = dict.fromkeys(_NAME.findall(result.complaint))
        what = f"what its state protects ({', '.join(names) or result.complaint.splitlines()[0]})"
    if not what:
        return None
    return (
        f"{ref} is not deployed: this commit would delete or replace {what}, and the class of {ref} is protected. "
        "Nothing was touched. Change the program so that it keeps it; to give it up, take `protected` off the class "
        "(in the policy of the default branch) first."
    )
