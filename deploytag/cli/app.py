"""The `deploytag` command itself: what all of its subcommands share."""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer

from deploytag.documents import DocumentError, parse_yaml, read_file
from deploytag.errors import DeployTagError, UsageError
from deploytag.printable import printable


class _App(typer.Typer):
    """Ends a command that failed for a reason a person can put right: a sentence and an exit code, no traceback."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().__call__(*args, **kwargs)
        except DeployTagError as error:
            say(f"deploytag: {error}", err=True)
            sys.exit(error.exit_code)


app = _App(
    no_args_is_help=True,
    help="Every git branch its own complete, isolated, running copy of an application.",
)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def say(text: str, *, err: bool = False) -> None:
    """Print for a person. What others wrote (names, logs, error texts) neither moves a cursor nor commands a CI."""
    typer.echo(printable(text), err=err)


def print_json(document: object) -> None:
    """One JSON document on standard output, as every command's `--json` has it."""
    typer.echo(json.dumps(document, indent=2, default=str))


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


def nearest(name: str, start: Path) -> Path | None:
    """The file `name` in `start` or in the nearest directory above it."""
    found = (folder / name for folder in (start, *start.parents))
    return next((path for path in found if path.is_file()), None)


def nearest_project(start: Path) -> str:
    """The project's name as Pulumi finds it: in the directory, or the nearest one above that has a Pulumi.yaml."""
    path = nearest("Pulumi.yaml", start)
    if path is None:
        raise UsageError(f"There is no Pulumi.yaml in {start} or above it to name the project. Give it with --project.")
    try:
        document = parse_yaml(read_file(path))
    except (DocumentError, OSError) as error:
        raise UsageError(
            f"{path} cannot be read as YAML: {error}. Correct it, or give the project with --project."
        ) from None
    project = document.get("name") if isinstance(document, dict) else None
    if not isinstance(project, str):
        raise UsageError(f"{path} has no `name:`. Add it, or give the project with --project.")
    return project
