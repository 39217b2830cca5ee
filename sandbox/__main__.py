"""`python -m sandbox`: the command line."""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from sandbox.errors import SandboxError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)


@app.callback()
def _about() -> None:
    """Everything DeployTag talks to, real, on this machine: a cluster, a registry, a builder, a database, an AWS."""


@app.command()
def up(
    plugins: Annotated[
        str | None, typer.Option(help="Pulumi plugins: official, offline, auto, or a folder that holds them.")
    ] = None,
) -> None:
    """Start everything, building what is missing; return when everything answers."""
    from sandbox.lifecycle import Sandbox  # noqa: PLC0415
    from sandbox.lifecycle import up as start  # noqa: PLC0415

    start(Sandbox.here(), plugins)


@app.command()
def down() -> None:
    """Stop everything and leave the machine as it was. The data stays."""
    from sandbox.lifecycle import Sandbox  # noqa: PLC0415
    from sandbox.lifecycle import down as stop  # noqa: PLC0415

    stop(Sandbox.here())


@app.command()
def reset() -> None:
    """Stop everything and delete the data. What was built stays in the cache."""
    from sandbox.lifecycle import Sandbox  # noqa: PLC0415
    from sandbox.lifecycle import reset as wipe  # noqa: PLC0415

    wipe(Sandbox.here())


@app.command()
def status(as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False) -> None:
    """Show every part: state, address, version, memory. Ends with 1 when one does not answer."""
    from sandbox import status as statuses  # noqa: PLC0415
    from sandbox.lifecycle import Sandbox  # noqa: PLC0415

    found = statuses.collect(Sandbox.here())
    if as_json:
        typer.echo(json.dumps(found.as_dict(), indent=2))
    else:
        console = Console(highlight=False)
        console.print(found.table())
        console.print(found.summary(), soft_wrap=True)
    if not found.complete:
        raise typer.Exit(1)


@app.command()
def env() -> None:
    """Print the variables of a shell that works with the sandbox: eval "$(python -m sandbox env)"."""
    from sandbox.env import exports, variables  # noqa: PLC0415
    from sandbox.lifecycle import Sandbox, toolchain_bin  # noqa: PLC0415

    sandbox = Sandbox.here()
    if not sandbox.layout.database_password.exists():
        raise SandboxError("There is no sandbox yet. Start it with `python -m sandbox up` (or `make up`).")
    if not sandbox.running:
        # Its addresses would lead out of this machine now.
        raise SandboxError("The sandbox is down. Start it with `python -m sandbox up` (or `make up`).")
    typer.echo(exports(variables(sandbox.config, sandbox.layout, toolchain_bin(sandbox))), nl=False)


@app.command()
def rerun(ref: Annotated[str, typer.Argument(help="A branch or tag that the sandbox's git remote has.")]) -> None:
    """Deploy again what was pushed: `git push` calls no hook when the remote has the commit already."""
    from sandbox import hook  # noqa: PLC0415

    raise typer.Exit(hook.rerun(ref))


@app.command()
def logs(
    part: Annotated[str | None, typer.Argument(help="One part; all of them otherwise.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until interrupted.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", help="How much of the past to show.")] = 50,
) -> None:
    """Show what the parts have written."""
    from sandbox.lifecycle import Sandbox  # noqa: PLC0415

    files = {path.stem: path for path in sorted(Sandbox.here().layout.logs.glob("*.log"))}
    if part and part not in files:
        raise SandboxError(f"There is no log of {part}; there are {', '.join(files) or 'none at all'}.")
    chosen: list[Path] = [files[part]] if part else list(files.values())
    if not chosen:
        raise SandboxError("There are no logs yet: the sandbox has not been started.")
    command = ["tail", f"--lines={lines}", *(["-F"] if follow else []), *map(str, chosen)]
    sys.stdout.flush()
    os.execvp(command[0], command)  # noqa: S606


def interruptible() -> None:
    """An end that is asked for from outside is as orderly as Ctrl-C: what was begun is stopped, and nothing is left."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        # Under nohup the terminal's end is to be ignored.
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, interrupt)


def main() -> None:
    """Run; what a user can cause is a sentence and exit code 1."""
    interruptible()
    try:
        app(standalone_mode=True)
    except SandboxError as error:
        typer.secho(str(error), err=True, fg=typer.colors.RED)
        sys.exit(1)


if __name__ == "__main__":
    main()
