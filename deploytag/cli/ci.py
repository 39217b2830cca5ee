"""`deploytag ci`: the one command that a pipeline calls, for every event."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from deploytag.cli.app import AsJson, Panel, app, print_json, say
from deploytag.cli.checkout import Checkout, Verbose, narrator

if TYPE_CHECKING:
    from deploytag.delivery.pipeline.carry_out import Commands
    from deploytag.delivery.pipeline.plan import Destroy, Plan
    from deploytag.delivery.progress import Progress
    from deploytag.delivery.removal.collection import Collection
    from deploytag.delivery.report import Report
    from deploytag.errors import DeployTagError


@app.command(rich_help_panel=Panel.DELIVER)
def ci(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be done, and do nothing.")] = False,
    verbose: Verbose = False,
    as_json: AsJson = False,
) -> None:
    """Deploy, destroy, collect or skip: what this CI run's own variables, the git remote and the policy call for.

    Works in GitHub Actions, GitLab CI, Jenkins and Buildkite; anywhere else DEPLOYTAG_BRANCH names the branch. Writes
    the job's summary and outputs where the CI looks for them.
    """
    from deploytag.delivery.pipeline import carry_out as ci_run
    from deploytag.delivery.pipeline import summary

    checkout = Checkout.here()
    if dry_run:
        _print_plan(_decide(checkout), as_json=as_json)
        return
    commands = _commands(checkout, narrator(as_json=as_json, verbose=verbose), as_json=as_json)
    ended, error = ci_run.carry_out(lambda: _decide(checkout), commands, checkout.project, os.environ, checkout.root)
    if as_json:
        print_json(ended)
    elif error is None:
        say(summary.headline(ended))
    if error is not None:
        raise error


def _decide(checkout: Checkout) -> Plan:
    from deploytag import repository
    from deploytag.delivery.pipeline import plan as ci_plan
    from deploytag.ref import read_event

    return ci_plan.decide(
        os.environ,
        lambda: read_event(os.environ),
        lambda: repository.read_head(checkout.root),
        checkout.trusted.tip,
        checkout.trusted.policy,
    )


def _commands(checkout: Checkout, progress: Progress, *, as_json: bool) -> Commands:
    from deploytag.delivery.pipeline.carry_out import Commands

    def deploy(ref: str, commit: str) -> Report:
        from deploytag.delivery import deploy as delivery

        return delivery.deploy(checkout.open(progress), delivery.Request(ref, commit))

    def destroy(plan: Destroy) -> Report:
        from deploytag.delivery.removal.remove import remove
        from deploytag.delivery.run import SkippedError
        from deploytag.errors import DeployTagError

        try:
            world = checkout.open(progress)
        except DeployTagError as error:
            if not plan.classless:
                raise
            # What a class's jobs are given to act with, this one was not.
            return _left_alone(
                checkout,
                plan.ref,
                f"{plan.ref} belongs to no class, so it should have no environment, and this job cannot look: {error} "
                "Should it have one of an earlier policy, `gc` removes it.",
            )

        def made_again() -> str | None:
            there = not plan.asked_for and world.remote.tip(plan.ref) is not None
            return f"{plan.ref} is on the remote again: its newest push deploys it." if there else None

        try:
            # Asked once more under the lease, which the deployment of the new branch may have had before.
            gone = None if plan.asked_for else (lambda: None)
            return remove(world, plan.ref, still=made_again, tip=gone)
        except SkippedError as skipped:
            return _left_alone(checkout, plan.ref, str(skipped))

    def gc() -> tuple[Collection, DeployTagError | None]:
        from deploytag.cli.remove import print_collected
        from deploytag.delivery.removal import gc_run
        from deploytag.delivery.removal.collection import Collection

        done = gc_run.run(checkout.open(progress), None, yes=True, allow_shrink=False, allow_remote=False)
        if not as_json:
            print_collected(done)
        return Collection.of(done), done.error

    return Commands(deploy, destroy, gc, progress.say)


def _left_alone(checkout: Checkout, ref: str, reason: str) -> Report:
    from deploytag.delivery.report import Report, Result
    from deploytag.delivery.run import Action

    stack = checkout.identity(ref).stack
    return Report(action=Action.DESTROY, ref=ref, stack=stack, outcome=Result.SKIPPED, reason=reason)


def _print_plan(plan: Plan, *, as_json: bool) -> None:
    document = {"plan": type(plan).__name__.lower(), **asdict(plan)}
    if as_json:
        from deploytag.cli.forms.plans import CiPlan

        print_json(CiPlan.model_validate(document))
    else:
        say(" ".join(value for value in document.values() if isinstance(value, str)))
