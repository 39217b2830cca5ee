"""`deploytag destroy` and `gc`: what takes environments away."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from deploytag.cli.app import AsJson, Panel, app, print_json, say
from deploytag.cli.checkout import Branch, Checkout, Project, Verbose, Wait, narrator
from deploytag.cli.reporting import reporting
from deploytag.errors import UsageError

if TYPE_CHECKING:
    from deploytag.delivery.inventory.things import Inventory
    from deploytag.delivery.removal.gc_run import Collected


@app.command(rich_help_panel=Panel.DELIVER)
def destroy(
    branch: Branch = None,
    *,
    force: Annotated[bool, typer.Option("--force", help="Destroy it although it is protected.")] = False,
    confirm: Annotated[
        str | None, typer.Option(help="The branch's name once more, for --force without a terminal.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be removed, and do nothing.")] = False,
    project: Project = None,
    wait: Wait = 1800,
    verbose: Verbose = False,
    as_json: AsJson = False,
) -> None:
    """Remove everything of a branch: release, namespace, database, role, volumes, stack. Images stay until `gc`.

    Works without the branch, its program and its settings. Succeeds only when a new look finds nothing.
    """
    from deploytag.delivery.inventory import look as inventory
    from deploytag.delivery.removal import destroy as destroying
    from deploytag.delivery.removal import remove as removal
    from deploytag.delivery.run import Action

    checkout = Checkout.of(project)
    identity, progress = checkout.identity(branch), narrator(as_json=as_json, verbose=verbose)
    ref = identity.ref
    with reporting(Action.DESTROY, identity, progress, as_json=as_json) as show:
        world = checkout.open_to_remove(progress)
        found = inventory.of(identity, world.sources)
        destroying.refuse_protected(identity, world.sources, found, removal.class_of(world, ref), force=force)
        if dry_run:
            _print_inventory(ref, found, as_json=as_json)
            return
        if force:
            _confirm(ref, confirm)
        show(removal.remove(world, ref, force=force, patience=wait))


@app.command(rich_help_panel=Panel.DELIVER)
def gc(
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do it. Without, only print what would be done.")] = False,
    allow_shrink: Annotated[
        bool, typer.Option("--allow-shrink", help="Believe a remote that lost more than half of its branches.")
    ] = False,
    allow_remote: Annotated[
        bool, typer.Option("--allow-remote", help="Believe another repository than until now.")
    ] = False,
    registry: Annotated[
        str | None, typer.Option(help="The image registry; by default `registry` in Pulumi.yaml's config.")
    ] = None,
    project: Project = None,
    verbose: Verbose = False,
    as_json: AsJson = False,
) -> None:
    """Collect what should not exist: environments whose branch is gone or idle for too long, leftovers, images."""
    from deploytag.delivery.removal import gc_run
    from deploytag.delivery.removal.collection import Collection

    world = Checkout.of(project).open(narrator(as_json=as_json, verbose=verbose))
    done = gc_run.run(world, registry, yes=yes, allow_shrink=allow_shrink, allow_remote=allow_remote)
    if as_json:
        print_json(Collection.of(done))
    else:
        print_collected(done)
    if error := done.error:
        raise error


def _confirm(ref: str, confirmation: str | None) -> None:
    """Have the branch's name typed again."""
    if confirmation is None and sys.stdin.isatty():
        confirmation = typer.prompt(f"{ref} is destroyed with its data. Type its name again", err=True)
    if confirmation != ref:
        raise UsageError(f"--force needs the branch's name once more: --confirm {ref}. Nothing was touched.")


def _print_inventory(ref: str, found: Inventory, *, as_json: bool) -> None:
    from deploytag.delivery.inventory.look import left

    items = left(found)
    if as_json:
        from deploytag.cli.forms.removals import Removable, WouldRemove

        rows = [Removable(kind=it.kind, name=it.name, detail=it.detail, ours=it.owner is not None) for it in items]
        print_json(WouldRemove(ref=ref, would_remove=tuple(rows)))
        return
    for item in items:
        say(f"would {'remove' if item.owner else 'leave alone'} {item}")
    if not items:
        say(f"nothing exists of {ref}")


def print_collected(done: Collected) -> None:
    """What a collection did, or would do."""
    plan, images, results = done.plan, done.images, done.results
    outcomes = iter(results or [])
    for text in (
        *(f"{entry.deed} {entry.ref}: {entry.reason}" for entry in plan.entries),
        *(f"delete {image}: {image.reason}" for image in images.entries),
    ):
        result = next(outcomes, None)
        ended = f" -> {result.outcome}{': ' if result.why else ''}{result.why}" if result else ""
        say(text + ended)
    for note in plan.warnings:
        say(f"soon: {note.subject} {note.text}")
    for note in plan.left_alone:
        say(f"left alone: {note.subject}: {note.text}")
    if images.withheld:
        say(f"no image is deleted: {images.withheld}")
    if not plan.entries and not images.entries and images.failure is None and plan.refused is None:
        say("There is nothing to collect.")
    elif results is None:
        say("Nothing was done. With --yes it is.")
