"""The `deploytag` command."""

from __future__ import annotations

import json
import os
import shlex
import sys
from dataclasses import asdict
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import yaml

from deploytag.errors import DeployTagError, UsageError
from deploytag.identity import identify

if TYPE_CHECKING:
    from pydantic import BaseModel


class _App(typer.Typer):
    """Ends a command that failed for a reason a person can put right: a sentence and an exit code, no traceback."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().__call__(*args, **kwargs)
        except DeployTagError as error:
            typer.echo(f"deploytag: {error}", err=True)
            sys.exit(error.exit_code)


app = _App(
    no_args_is_help=True,
    help="Every git branch its own complete, isolated, running copy of an application.",
)


class SchemaOf(StrEnum):
    """The files that have a schema."""

    SETTINGS = "settings"
    POLICY = "policy"


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(version("deploytag"))
        raise typer.Exit


@app.callback()
def _main(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Keep the commands below subcommands, however few there are."""


@app.command()
def name(
    ref: Annotated[str, typer.Argument(help="A branch or tag, as git spells it: feature/test")],
    project: Annotated[
        str | None, typer.Option(help="The project; by default `name:` of the nearest Pulumi.yaml.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Print every name of a ref. Without --json as KEY=VALUE lines, quoted for the shell."""
    names = asdict(identify(project or _nearest_project(Path.cwd()), ref))
    if as_json:
        typer.echo(json.dumps(names, indent=2))
    else:
        for key, value in names.items():
            typer.echo(f"{key}={shlex.quote(value)}")


@app.command()
def schema(of: Annotated[SchemaOf, typer.Argument(help="Which file's schema.")]) -> None:
    """Print the JSON schema of deploytag.yaml (settings) or deploytag.policy.yaml (policy), for editors."""
    from deploytag import settings  # noqa: PLC0415 - `deploytag name` is called in scripts and need not load pydantic

    model: type[BaseModel] = settings.Policy if of is SchemaOf.POLICY else settings.ApplicationSettings
    typer.echo(json.dumps(model.model_json_schema(), indent=2))


@app.command()
def test() -> None:
    """Run the application's tests (`tests` in deploytag.yaml), without credentials and with their time limit."""
    from deploytag import settings, tests_command  # noqa: PLC0415 - as in `schema`

    path = _nearest(settings.SETTINGS_FILE, Path.cwd())
    if path is None:
        raise UsageError(f"There is no {settings.SETTINGS_FILE} in {Path.cwd()} or above it. Run this in a checkout.")
    tests = settings.Settings.load(path.parent).application.tests
    if tests is None:
        typer.echo(f"{settings.SETTINGS_FILE} names no tests.", err=True)
        return
    tests_command.run_tests(tests, path.parent, os.environ)


def _nearest(name: str, start: Path) -> Path | None:
    found = (folder / name for folder in (start, *start.parents))
    return next((path for path in found if path.is_file()), None)


def _nearest_project(start: Path) -> str:
    """The project's name as Pulumi finds it: in the directory, or the nearest one above that has a Pulumi.yaml."""
    path = _nearest("Pulumi.yaml", start)
    if path is None:
        raise UsageError(f"There is no Pulumi.yaml in {start} or above it to name the project. Give it with --project.")
    try:
        document = yaml.safe_load(path.read_bytes())
    except yaml.YAMLError as error:
        raise UsageError(
            f"{path} is not valid YAML: {error}. Correct it, or give the project with --project."
        ) from error
    project = document.get("name") if isinstance(document, dict) else None
    if not isinstance(project, str):
        raise UsageError(f"{path} has no `name:`. Add it, or give the project with --project.")
    return project
