"""`deploytag ls`, `status`, `sleep`, `wake` and `keep`: what there is, and what is done with what nobody pushes to."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from deploytag.cli.app import AsJson, Panel, app, print_json, say
from deploytag.cli.checkout import Branch, Checkout, Project, Wait, narrator
from deploytag.cli.reporting import reporting
from deploytag.errors import UsageError
from deploytag.output import shown_as_one_line

if TYPE_CHECKING:
    from deploytag.delivery.fleet import Row

WIDE = 400
STYLES = {"serving": "green", "working": "cyan", "asleep": "dim", "unhealthy": "red", "failed": "red", "died": "red"}


@app.command(rich_help_panel=Panel.LOOK)
def ls(project: Project = None, as_json: AsJson = False) -> None:
    """List every environment of this project: age, commit, health, URL, last result."""
    from deploytag.cli.forms.environments import Environment
    from deploytag.delivery import fleet

    found = fleet.look(Checkout.of(project).open(narrator(as_json=as_json)))
    if as_json:
        print_json([Environment.model_validate(row) for row in found])
    elif found:
        _print_table(found)
    else:
        say("no environments: `deploytag deploy` makes one")


@app.command(rich_help_panel=Panel.LOOK)
def status(branch: Branch = None, project: Project = None, as_json: AsJson = False) -> None:
    """Show one environment in detail: everything that belongs to it, and how it is."""
    from deploytag.cli.forms.environments import EnvironmentInDetail
    from deploytag.delivery import fleet, isolation

    checkout = Checkout.of(project)
    ref = checkout.ref(branch)
    world = checkout.open(narrator(as_json=as_json))
    found = {row.ref: row for row in fleet.look(world)}
    if ref not in found:
        raise UsageError(f"{ref} has no environment. `deploytag ls` shows which branches have one.")
    row = found[ref]
    apart = isolation.look(world.cluster, world.identity(ref), world.administrator) if row.namespace else None
    if as_json:
        print_json(EnvironmentInDetail.model_validate(row).model_copy(update={"isolation": apart}))
        return
    for name, value in _lines(row).items():
        say(f"{name:<10}{value}")
    for item in row.items:
        say(f"          {item}")
    for number, line in enumerate(isolation.lines(apart) if apart else ()):
        say(f"{'' if number else 'isolation':<10}{line}")


@app.command(rich_help_panel=Panel.IDLE)
def sleep(branch: Branch = None, wait: Wait = 1800, as_json: AsJson = False) -> None:
    """Stop the pods of an environment; database, secrets and address stay. The next push wakes it."""
    from deploytag.delivery import idle
    from deploytag.delivery.run import Action

    checkout = Checkout.here()
    identity, progress = checkout.identity(branch), narrator(as_json=as_json)
    with reporting(Action.SLEEP, identity, progress, as_json=as_json) as show:
        show(idle.sleep(checkout.open(progress), identity.ref, patience=wait))


@app.command(rich_help_panel=Panel.IDLE)
def wake(branch: Branch = None, wait: Wait = 1800, as_json: AsJson = False) -> None:
    """Start the pods of an environment that sleeps, and wait until it answers."""
    from deploytag.delivery import idle
    from deploytag.delivery.run import Action

    checkout = Checkout.here()
    identity, progress = checkout.identity(branch), narrator(as_json=as_json)
    with reporting(Action.WAKE, identity, progress, as_json=as_json) as show:
        show(idle.wake(checkout.open(progress), identity.ref, patience=wait))


@app.command(rich_help_panel=Panel.IDLE)
def keep(
    branch: Annotated[str, typer.Argument(help="As git spells it.")],
    duration: Annotated[str, typer.Option("--for", help="From now: 36h, 14d, 2w.")],
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Keep an environment for a while, though nobody pushes to its branch."""
    from deploytag.delivery import idle
    from deploytag.settings import parse_duration

    try:
        wanted = parse_duration(duration)
    except ValueError as error:
        raise UsageError(f"--for {duration} {error}.") from None
    checkout = Checkout.of(project)
    ref = checkout.ref(branch)
    until = idle.keep(checkout.open(narrator(as_json=as_json)), ref, wanted)
    if as_json:
        from deploytag.cli.forms.environments import Kept

        print_json(Kept(ref=ref, keep_until=until))
    else:
        say(f"{ref} is kept until {until:%Y-%m-%d %H:%M} UTC")


def _lines(row: Row) -> dict[str, str]:
    lines = {
        "ref": row.ref,
        "class": row.environment_class,
        "state": str(row.state),
        "note": row.note,
        "commit": row.revision,
        "url": row.url,
        "access": row.access,
        "pushed": _age(row.pushed),
        "last run": ", ".join(filter(None, (row.last, _age(row.last_at)))),
        "expires": f"{row.expires:%Y-%m-%d %H:%M} UTC" if row.expires else None,
    }
    return {name: value for name, value in lines.items() if value}


def _print_table(found: list[Row]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("branch", "state", "commit", "pushed", "last run", "url"):
        table.add_column(heading, no_wrap=True)
    table.add_column("note")
    for row in found:
        state = f"[{STYLES.get(row.state, 'yellow')}]{row.state}[/]"
        cells = (row.ref, (row.revision or "")[:12], _age(row.pushed), row.last, row.url, row.note)
        # As text: what others wrote is no markup. Redacted before the table breaks it into lines.
        ref, *rest = (Text(shown_as_one_line(cell or "")) for cell in cells)
        table.add_row(ref, state, *rest)
    # What reads a pipe or a log has no width.
    Console(width=None if sys.stdout.isatty() else WIDE).print(table)


def _age(then: datetime | None) -> str:
    if then is None:
        return ""
    import humanize

    return humanize.naturaltime(datetime.now(UTC) - then)
