"""`deploytag doctor`, `rights` and `init`: what is done before the first deployment."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploytag.cli.app import AsJson, Panel, app, nearest, nearest_project, print_json, say
from deploytag.errors import UsageError
from deploytag.identity import PULUMI_FILE
from deploytag.output import shown, shown_as_one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploytag.cli.forms.examination import Examination
    from deploytag.delivery.doctor import CheckResult


class Pipeline(StrEnum):
    """The CIs that a pipeline can be written for."""

    GITHUB = "github"
    GITLAB = "gitlab"
    SHELL = "shell"


@app.command(rich_help_panel=Panel.SETUP)
def doctor(as_json: AsJson = False) -> None:
    """Look at everything a run needs: tools, credentials, permissions, services, files; a line each, with the cure.

    Exit code 0 without a problem, else that of the first problem's kind.
    """
    from deploytag.delivery.doctor import checks, examine, exit_code
    from deploytag.delivery.project import Project

    path = nearest(PULUMI_FILE, Path.cwd())
    if path is None:
        raise UsageError(f"There is no {PULUMI_FILE} in {Path.cwd()} or above it. Run this in a checkout.")
    results = examine(checks(Project.read(path.parent, os.environ), os.environ))
    if as_json:
        print_json(_document(results))
    else:
        _print(results)
    raise typer.Exit(exit_code(results))


@app.command(rich_help_panel=Panel.SETUP)
def rights(
    *,
    project: Annotated[
        str | None, typer.Option(help="The project; by default `name:` of the nearest Pulumi.yaml.")
    ] = None,
    user: Annotated[list[str] | None, typer.Option(help="A user of the cluster who deploys it.")] = None,
    group: Annotated[list[str] | None, typer.Option(help="A group of users who deploy it.")] = None,
    service_account: Annotated[
        list[str] | None, typer.Option(help="A service account that deploys it: NAMESPACE/NAME.")
    ] = None,
) -> None:
    """Print what a cluster's administrator applies, once, so that somebody may deploy a project, and nothing else.

    `deploytag rights --group shop-pipeline | kubectl apply --server-side -f -`
    """
    from deploytag.delivery.doctor.rights import manifest, subjects
    from deploytag.identity import identify

    project = project or nearest_project(Path.cwd())
    identify(project, "main")  # refuses what is no project
    typer.echo(manifest(project, subjects(user or (), group or (), service_account or ())), nl=False)


@app.command(rich_help_panel=Panel.SETUP)
def init(
    *,
    project: Annotated[str | None, typer.Option(help="The project's name: letters and digits, short.")] = None,
    registry: Annotated[
        str | None, typer.Option(help="Where images go: registry.example.com or ghcr.io/acme, without https://.")
    ] = None,
    builder: Annotated[str | None, typer.Option(help="The buildx builder; by default buildx's current one.")] = None,
    ci: Annotated[
        Pipeline | None, typer.Option(help="For which CI; by default what the remote's host suggests.")
    ] = None,
    chart: Annotated[
        str | None, typer.Option(help="The application's chart; by default the one that is there.")
    ] = None,
    secret: Annotated[
        list[str] | None,
        typer.Option(help="Secrets Manager id of the pods' variables; may be given again, a later one wins."),
    ] = None,
    database_key: Annotated[
        str | None,
        typer.Option(help="Secrets Manager id of the key of database passwords; with it, there are databases."),
    ] = None,
    package: Annotated[str | None, typer.Option(help="What pip installs DeployTag from, in place of this one.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be written.")] = False,
    as_json: AsJson = False,
) -> None:
    """Put the program, settings, a chart skeleton and a pipeline into this repository. Never changes a file."""
    from deploytag import repository
    from deploytag.delivery import initialise

    root = repository.top(Path.cwd())
    if root.resolve() != Path.cwd().resolve():
        raise UsageError(f"This is not the root of the repository. Run it in {root}.")
    if project is None and not as_json and sys.stdin.isatty():
        project = typer.prompt("The project's name", default=initialise.suggested_project(root))
    options = initialise.Options(
        project=project,
        registry=registry,
        builder=builder,
        chart=chart,
        secrets=tuple(secret or ()),
        database_key=database_key,
        pipeline=initialise.Pipeline(ci) if ci else None,
        package=package,
    )
    answers = initialise.find_out(root, options, initialise.current_cluster(os.environ))
    plan = initialise.plan(root, answers)
    if not dry_run:
        initialise.write(root, plan.write)
    written = [str(file.path) for file in plan.write]
    steps = list(initialise.next_steps(answers, plan, repository.ignored(root, written)))
    if as_json:
        from deploytag.cli.forms.setup import Initialised

        print_json(Initialised(written=tuple(written), kept=tuple(plan.keep), next=tuple(steps)))
        return
    for name in written:
        say(f"{'would write' if dry_run else 'written':<11}  {name}")
    for name in plan.keep:
        say(f"{'kept':<11}  {name}")
    for number, step in enumerate(steps, 1):
        say(f"{'Next:' if number == 1 else '     '} {number}. {step}")


def _print(results: Sequence[CheckResult]) -> None:
    for result in results:
        for finding in result.findings:
            cure = f" {finding.cure}" if finding.cure else ""
            # A line each, whatever a library's message holds.
            seen = shown_as_one_line(finding.seen)
            end = "" if seen.endswith((".", "`")) or not cure else "."
            level = typer.style(f"{finding.level:<8}", fg=_COLOURS[finding.level])
            typer.echo(f"{level} {shown(f'{result.check:<12} {seen}{end}{cure}')}")


_COLOURS = {"ok": typer.colors.GREEN, "warning": typer.colors.YELLOW, "problem": typer.colors.RED}


def _document(results: Sequence[CheckResult]) -> Examination:
    from deploytag.cli.forms.examination import Check, Examination
    from deploytag.delivery.doctor import Level, exit_code

    lines = (
        Check(
            check=result.check,
            level=finding.level,
            seen=finding.seen,
            cure=finding.cure or None,
            kind=finding.kind.__name__ if finding.level is Level.PROBLEM else None,
        )
        for result in results
        for finding in result.findings
    )
    return Examination(exit_code=exit_code(results), checks=tuple(lines))
