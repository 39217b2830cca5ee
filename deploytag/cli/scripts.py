"""`deploytag name`, `schema` and `test`: what needs nothing but a checkout."""

from __future__ import annotations

import os
import shlex
import time
from dataclasses import asdict
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploytag.cli.app import AsJson, Panel, app, nearest, nearest_project, print_json, say
from deploytag.errors import UsageError
from deploytag.identity import identify

if TYPE_CHECKING:
    from pydantic import BaseModel


SchemaOf = StrEnum(
    "SchemaOf",
    "settings policy deploy destroy ci gc ls status why logs sleep wake sync keep doctor init name test",
)
"""What has a schema: the two settings files, and what each command prints with `--json`."""


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
def schema(of: Annotated[SchemaOf, typer.Argument(help="A settings file, or a command.", metavar="OF")]) -> None:
    """Print a JSON schema: of deploytag.yaml (settings), deploytag.policy.yaml (policy), or of a command's --json."""
    from deploytag import settings
    from deploytag.cli.forms.schema import schema as printed

    files: dict[str, type[BaseModel]] = {"settings": settings.ApplicationSettings, "policy": settings.Policy}
    print_json(files[of].model_json_schema() if of in files else printed(of))


@app.command(rich_help_panel=Panel.SCRIPTS)
def test(as_json: AsJson = False) -> None:
    """Run the application's tests (`tests` in deploytag.yaml), without credentials and with their time limit.

    With --json what they print goes to standard error.
    """
    from deploytag import settings, tests_command
    from deploytag.delivery.processes.cancellation import Cancellation, cancel_on_signals

    path = nearest(settings.SETTINGS_FILE, Path.cwd())
    if path is None:
        raise UsageError(f"There is no {settings.SETTINGS_FILE} in {Path.cwd()} or above it. Run this in a checkout.")
    tests = settings.ApplicationSettings.load(path.parent).tests
    began = time.monotonic()
    if tests is None:
        typer.echo(f"{settings.SETTINGS_FILE} names no tests.", err=True)
    else:
        aside = partial(say, err=True) if as_json else None
        with cancel_on_signals(Cancellation()) as cancellation:
            tests_command.run_tests(tests, path.parent, os.environ, cancellation, say=aside)
    if as_json:
        from deploytag.cli.forms.setup import Tested

        print_json(Tested(tests="passed" if tests else "none", seconds=round(time.monotonic() - began, 2)))
