"""`deploytag ci`: the one command that a pipeline calls, for every event."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploytag.cli.app import AsJson, app, nearest, nearest_project, print_json
from deploytag.errors import UsageError

if TYPE_CHECKING:
    from deploytag.delivery.ci_plan import Plan
    from deploytag.delivery.ci_run import Commands


@app.command()
def ci(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be done, and do nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Deploy, destroy, collect or skip: what this CI run's own variables, the git remote and the policy call for.

    Works in GitHub Actions, GitLab CI, Jenkins and Buildkite; anywhere else DEPLOYTAG_BRANCH names the branch. Writes
    the job's summary and outputs where the CI looks for them.
    """
    from deploytag.delivery import ci_run, summary  # noqa: PLC0415 - `deploytag name` need not load them

    root = _root()
    if dry_run:
        _print_plan(_decide(root), as_json=as_json)
        return
    report = ci_run.carry_out(lambda: _decide(root), _commands(root), nearest_project(root), os.environ, root)
    if report is None:
        return
    if as_json:
        print_json(report.model_dump(mode="json"))
        return
    if report.reason:
        typer.echo(report.reason)
    typer.echo(summary.headline(report))


def _root() -> Path:
    from deploytag.settings import POLICY_FILE  # noqa: PLC0415 - as above

    policy = nearest(POLICY_FILE, Path.cwd())
    if policy is None:
        raise UsageError(f"There is no {POLICY_FILE} in {Path.cwd()} or above it. Run this in a checkout.")
    return policy.parent


def _decide(root: Path) -> Plan:
    from deploytag import repository  # noqa: PLC0415 - as above
    from deploytag.delivery import ci_plan  # noqa: PLC0415
    from deploytag.delivery.remote import Remote  # noqa: PLC0415
    from deploytag.ref import read_event  # noqa: PLC0415
    from deploytag.settings import Policy  # noqa: PLC0415

    policy = Policy.load(root)
    return ci_plan.decide(
        os.environ,
        lambda: read_event(os.environ),
        lambda: repository.read_head(root),
        Remote(root, policy.remote).tip,
        policy,
    )


def _commands(root: Path) -> Commands:
    from deploytag.cli import deliver  # type: ignore[attr-defined]  # noqa: PLC0415 - as above

    commands: Commands = deliver.commands(root)
    return commands


def _print_plan(plan: Plan, *, as_json: bool) -> None:
    document = {"plan": type(plan).__name__.lower(), **asdict(plan)}
    if as_json:
        print_json(document)
    else:
        typer.echo(" ".join(str(value) for value in document.values() if value is not None))
