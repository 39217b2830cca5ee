"""`deploytag sync`: new versions of secrets reach the environments that are there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from deploytag.cli.app import AsJson, Panel, app, print_json, say
from deploytag.cli.checkout import Branch, Checkout, Verbose, Wait, narrator
from deploytag.cli.deploy import DryRun
from deploytag.cli.reporting import reporting
from deploytag.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deploytag.delivery.sync import Plan


@app.command(rich_help_panel=Panel.DELIVER)
def sync(
    branch: Branch = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Every environment of this project.")] = False,
    class_name: Annotated[
        str | None, typer.Option("--class", help="Every environment of this class of the policy.")
    ] = None,
    wait: Wait = 1800,
    dry_run: DryRun = False,
    verbose: Verbose = False,
    as_json: AsJson = False,
) -> None:
    """Give the pods the newest versions of their secrets, with the commit that is deployed. What sleeps stays asleep.

    With `--all` or `--class`, one that fails does not keep the others; the exit code is that of the first.
    """
    from deploytag.delivery import sync as delivery
    from deploytag.delivery.run import Action

    if branch is not None and (everything or class_name):
        raise UsageError(f"Either {branch} or {'--all' if everything else '--class'}, not both. Nothing was done.")
    checkout = Checkout.here()
    progress = narrator(as_json=as_json, verbose=verbose)
    if not everything and class_name is None:
        identity = checkout.identity(branch)
        with reporting(Action.SYNC, identity, progress, as_json=as_json) as show:
            world = checkout.open(progress)
            if dry_run:
                _print_plans([(identity.ref, delivery.plan(world, identity.ref))], one=True, as_json=as_json)
            else:
                show(delivery.sync(world, identity.ref, patience=wait))
        return
    world = checkout.open(progress)
    if dry_run:
        _print_plans(delivery.plan_all(world, class_name), one=False, as_json=as_json)
        return
    reports, errors = delivery.sync_all(world, class_name, patience=wait)
    if as_json:
        print_json(reports)
    elif not reports:
        say("no environments: `deploytag deploy` makes one")
    if errors:
        say(f"deploytag: {len(errors)} of {len(reports)} environments could not be given new secrets.", err=True)
        raise typer.Exit(errors[0].exit_code)


def _print_plans(plans: Iterable[tuple[str, Plan]], *, one: bool, as_json: bool) -> None:
    from deploytag.cli.forms.plans import SyncPlan
    from deploytag.delivery.sync import Current, Move, Skip

    kinds = {Move: "sync", Current: "unchanged", Skip: "skip"}
    said = [SyncPlan.model_validate({"plan": kinds[type(it)], "ref": ref, "reason": it.why}) for ref, it in plans]
    if as_json:
        print_json(said[0] if one else said)
        return
    for it in said:
        say(f"{it.ref}: {'would get new secrets: ' if it.plan == 'sync' else ''}{it.reason}")
