"""`deploytag name`, `schema` and `test`: what needs nothing but a checkout."""

from __future__ import annotations

import os
import shlex
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploytag.cli.app import AsJson, Panel, app, nearest, nearest_project, print_json
from deploytag.errors import UsageError
from deploytag.identity import identify

if TYPE_CHECKING:
    from pydantic import BaseModel


class SchemaOf(StrEnum):
    """The files that have a schema."""

    SETTINGS = "settings"
    POLICY = "policy"


@app.command(rich_help_panel=Panel.SCRIPTS)
def name(
    ref: Annotated[str, typer.Argument(help="A branch or tag, as git spells it: feature/test")],
    project: Annotated[
        str | None, typer.Option(help="The project; by default `name:` of the nearest Pulumi.yaml.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print every name of a ref. Without --json as KEY=VALUE lines, quoted for the shell."""
    names = asdict(identify(project or nearest_project(Path.cwd()), ref))
    if as_json:
        print_json(names)
    else:
        for key, value in names.items():
            typer.echo(f"{key}={shlex.quote(value)}")


@app.command(rich_help_panel=Panel.SCRIPTS)
def schema(of: Annotated[SchemaOf, typer.Argument(help="Which file's schema.")]) -> None:
    """Print the JSON schema of deploytag.yaml (settings) or deploytag.policy.yaml (policy), for editors."""
    from deploytag import settings  # noqa: PLC0415 - `deploytag name` is called in scripts and need not load pydantic

    model: type[BaseModel] = settings.Policy if of is SchemaOf.POLICY else settings.ApplicationSettings
    print_json(model.model_json_schema())


@app.command(rich_help_panel=Panel.SCRIPTS)
def test() -> None:
    """Run the application's tests (`tests` in deploytag.yaml), without credentials and with their time limit."""
    from deploytag import settings, tests_command  # noqa: PLC0415 - as in `schema`
    from deploytag.delivery.processes.cancellation import Cancellation, cancel_on_signals  # noqa: PLC0415

    path = nearest(settings.SETTINGS_FILE, Path.cwd())
    if path is None:
        raise UsageError(f"There is no {settings.SETTINGS_FILE} in {Path.cwd()} or above it. Run this in a checkout.")
    tests = settings.ApplicationSettings.load(path.parent).tests
    if tests is None:
        typer.echo(f"{settings.SETTINGS_FILE} names no tests.", err=True)
        return
    with cancel_on_signals(Cancellation()) as cancellation:
        tests_command.run_tests(tests, path.parent, os.environ, cancellation)
