"""Carries out the plan of a CI run, and tells the CI how it ended, however it ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from deploytag.delivery.pipeline import summary
from deploytag.delivery.pipeline.plan import Deploy, Destroy, Gc, Plan, Skip
from deploytag.delivery.removal.collection import Collection
from deploytag.delivery.report import Report, Result, failure
from deploytag.delivery.run import Action
from deploytag.errors import DeployTagError
from deploytag.identity import identify


@dataclass(frozen=True, slots=True)
class Commands:
    """What a plan comes down to: the commands that a person would type."""

    deploy: Callable[[str, str], Report]
    """`deploytag deploy`, of a ref at a commit."""
    destroy: Callable[[Destroy], Report]
    """`deploytag destroy`, unless the branch was made again."""
    gc: Callable[[], tuple[Collection, DeployTagError | None]]
    """`deploytag gc --yes`, and what it ends with. It tells a person itself what it did."""
    say: Callable[[str], None]
    """Tells a person why this is done, where the command does not know it."""


Ended = tuple[Report | Collection, DeployTagError | None]
"""How it ended, and the error that it ended with."""


def carry_out(
    decide: Callable[[], Plan], commands: Commands, project: str, environ: Mapping[str, str], directory: Path
) -> Ended:
    """Decide, act, and write the job's summary."""
    plan: Plan | None = None
    ended: Ended
    try:
        plan = decide()
        ended = _run(plan, commands, project)
    except DeployTagError as error:
        ended = _failed(plan, project, error), error
    summary.write(ended[0], environ, directory)
    return ended


def _run(plan: Plan, commands: Commands, project: str) -> Ended:
    match plan:
        case Deploy(ref, commit):
            return commands.deploy(ref, commit), None
        case Destroy(why=why):
            commands.say(why)
            report = commands.destroy(plan)
            return report if report.reason else report.model_copy(update={"reason": why}), None
        case Skip(why, ref):
            commands.say(why)
            stack = _stack(project, ref)
            return Report(action=Action.DEPLOY, ref=ref, stack=stack, outcome=Result.SKIPPED, reason=why), None
        case Gc():
            return commands.gc()


def _failed(plan: Plan | None, project: str, error: DeployTagError) -> Report:
    match plan:
        case Deploy(ref, commit):
            report = failure(error, Action.DEPLOY, ref, _stack(project, ref))
            return report.model_copy(update={"revision": commit})
        case Destroy(ref):
            return failure(error, Action.DESTROY, ref, _stack(project, ref))
    return failure(error)


def _stack(project: str, ref: str | None) -> str | None:
    return identify(project, ref).stack if ref else None
