"""Carries out the plan of a CI run, and tells the CI how it ended, however it ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from deploytag.delivery.pipeline import summary
from deploytag.delivery.pipeline.plan import Deploy, Destroy, Gc, Plan, Skip
from deploytag.delivery.report import Report, Result
from deploytag.delivery.run import Action
from deploytag.errors import DeployTagError, InterruptedRunError
from deploytag.identity import identify


@dataclass(frozen=True, slots=True)
class Commands:
    """What a plan comes down to: the commands that a person would type."""

    deploy: Callable[[str, str], Report]
    """`deploytag deploy`, of a ref at a commit."""
    destroy: Callable[[Destroy], Report]
    """`deploytag destroy`, unless the branch was made again."""
    gc: Callable[[], None]
    """`deploytag gc --yes`. It says itself what it did."""
    say: Callable[[str], None]
    """Tells a person why this is done, where the command does not know it."""


def carry_out(
    decide: Callable[[], Plan], commands: Commands, project: str, environ: Mapping[str, str], directory: Path
) -> Report | None:
    """Decide, act, and write the job's summary; None after a gc.

    Raises:
        DeployTagError: as the command did, once the summary says so too.
    """
    plan: Plan | None = None
    try:
        plan = decide()
        report = _run(plan, commands, project)
    except DeployTagError as error:
        if not isinstance(plan, Gc):
            summary.write(_failed(plan, project, error), environ, directory)
        raise
    if report is not None:
        summary.write(report, environ, directory)
    return report


def _run(plan: Plan, commands: Commands, project: str) -> Report | None:
    match plan:
        case Deploy(ref, commit):
            return commands.deploy(ref, commit)
        case Destroy(why=why):
            commands.say(why)
            report = commands.destroy(plan)
            return report if report.reason else report.model_copy(update={"reason": why})
        case Skip(why, ref):
            commands.say(why)
            return Report(action=Action.DEPLOY, ref=ref, stack=_stack(project, ref), outcome=Result.SKIPPED, reason=why)
        case Gc():
            commands.gc()
            return None


def _failed(plan: Plan | None, project: str, error: DeployTagError) -> Report:
    ref = plan.ref if isinstance(plan, Deploy | Destroy) else None
    return Report(
        action=Action.DESTROY if isinstance(plan, Destroy) else Action.DEPLOY,
        ref=ref,
        stack=_stack(project, ref),
        outcome=Result.INTERRUPTED if isinstance(error, InterruptedRunError) else Result.FAILED,
        revision=plan.commit if isinstance(plan, Deploy) else None,
        reason=str(error),
    )


def _stack(project: str, ref: str | None) -> str | None:
    return identify(project, ref).stack if ref else None
