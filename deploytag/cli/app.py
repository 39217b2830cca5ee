"""The `deploytag` command itself: what all of its subcommands share."""

from __future__ import annotations

import json
import logging
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from typer.core import TyperCommand

from deploytag.credentials import secret_values
from deploytag.documents import DocumentError, parse_yaml, read_file
from deploytag.errors import DeployTagError, UsageError
from deploytag.identity import PULUMI_FILE
from deploytag.output import behind, log_to, redacting_output, shown
from deploytag.redaction import learn, redacted

if TYPE_CHECKING:
    from pydantic import BaseModel


Function = TypeVar("Function", bound=Callable[..., Any])

_PRINTED = ContextVar("printed", default=False)
"""Whether the command has printed its one JSON document."""


class _Command(TyperCommand):
    """With `--json` a command that fails prints a document all the same."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        _PRINTED.set(False)
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort):
            raise
        except Exception as error:
            if ctx.params.get("as_json") and not _PRINTED.get():
                from deploytag.delivery.report import failure

                print_json(failure(error))
            raise


class _App(typer.Typer):
    """Ends a command that failed for a reason a person can put right: a sentence and an exit code, no traceback.

    Whatever a command prints is redacted.
    """

    def command(self, name: str | None = None, **options: Any) -> Callable[[Function], Function]:
        """As Typer has it."""
        return super().command(name, **{"cls": _Command, **options})

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        learn(secret_values(os.environ))
        with redacting_output():
            try:
                return super().__call__(*args, **kwargs)
            except DeployTagError as error:
                say(f"deploytag: {error}", err=True)
                sys.exit(error.exit_code)
            except Exception:
                # A defect. The interpreter would print it when nothing is redacted any more.
                traceback.print_exc()
                sys.exit(DeployTagError.exit_code)


app = _App(
    no_args_is_help=True,
    # Typer's own tracebacks show local variables, and come too late to be redacted.
    pretty_exceptions_enable=False,
    help="Every git branch its own complete, isolated, running copy of an application.",
)


class Panel(StrEnum):
    """Under which heading `--help` lists a command."""

    DELIVER = "Deliver"
    LOOK = "Look"
    IDLE = "Idle environments"
    SETUP = "Set up"
    SCRIPTS = "For scripts and editors"


AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def say(text: str, *, err: bool = False) -> None:
    """Print for a person. What others wrote (names, logs, error texts) neither moves a cursor nor commands a CI."""
    typer.echo(shown(text), err=err)


def print_json(document: BaseModel | Sequence[BaseModel] | Mapping[str, Any]) -> None:
    """One JSON document on standard output, as every command's `--json` has it."""
    _PRINTED.set(True)
    plain: object = document
    if isinstance(document, Sequence):
        plain = [it.model_dump(mode="json") for it in document]
    elif not isinstance(document, Mapping):
        plain = document.model_dump(mode="json")
    typer.echo(json.dumps(redacted(plain), indent=2), file=behind(sys.stdout))


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(version("deploytag"))
        raise typer.Exit


@app.callback()
def _main(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    debug: Annotated[
        bool,
        typer.Option(
            "--debug", envvar="DEPLOYTAG_DEBUG", help="Also log what libraries do, on standard error, without secrets."
        ),
    ] = False,
) -> None:
    """What all commands have: their log goes to standard error."""
    log_to(sys.stderr, logging.DEBUG if debug else logging.WARNING)


def nearest(name: str, start: Path) -> Path | None:
    """The file `name` in `start` or in the nearest directory above it."""
    found = (folder / name for folder in (start, *start.parents))
    return next((path for path in found if path.is_file()), None)


def nearest_project(start: Path, *, option: bool = True) -> str:
    """The project's name as Pulumi finds it: in the directory, or the nearest one above that has a Pulumi.yaml.

    `option`: whether the command has `--project`, so that a person may be told of it.
    """
    path = nearest(PULUMI_FILE, start)
    give = ", or give the project with --project" if option else ""
    if path is None:
        raise UsageError(f"There is no Pulumi.yaml in {start} or above it to name the project: go there{give}.")
    try:
        document = parse_yaml(read_file(path))
    except (DocumentError, OSError) as error:
        raise UsageError(f"{path} cannot be read as YAML: {error}. Correct it{give}.") from None
    project = document.get("name") if isinstance(document, dict) else None
    if not isinstance(project, str):
        raise UsageError(f"{path} has no `name:`. Add it{give}.")
    return project
