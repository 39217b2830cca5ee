"""`deploytag deploy`: the whole flow of a push."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from deploytag.cli.app import AsJson, Panel, app, print_json, say
from deploytag.cli.checkout import Branch, Checkout, Verbose, Wait, narrator
from deploytag.cli.reporting import reporting

if TYPE_CHECKING:
    from deploytag.delivery.decision import Plan
    from deploytag.delivery.deploy import Request

DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]


@app.command(rich_help_panel=Panel.DELIVER)
def deploy(
    branch: Branch = None,
    *,
    revision: Annotated[
        str | None,
        typer.Option(help="Deploy this commit, which is checked out, though the remote's tip is another: a rerun."),
    ] = None,
    recreate: Annotated[bool, typer.Option("--recreate", help="Bring back what was destroyed on purpose.")] = False,
    wait: Wait = 1800,
    dry_run: DryRun = False,
    verbose: Verbose = False,
    as_json: AsJson = False,
) -> None:
    """Make the checked-out commit answer at the branch's URL: tests, images, database, migrations, release."""
    from deploytag.delivery import deploy as delivery
    from deploytag.delivery.run import Action

    checkout = Checkout.here()
    identity, progress = checkout.identity(branch), narrator(as_json=as_json, verbose=verbose)
    with reporting(Action.DEPLOY, identity, progress, as_json=as_json) as show:
        wanted = request(checkout, identity.ref, revision, recreate=recreate, patience=wait)
        world = checkout.open(progress)
        if dry_run:
            print_plan(delivery.plan(world, wanted), wanted, as_json=as_json)
        else:
            show(delivery.deploy(world, wanted))


def request(checkout: Checkout, ref: str, revision: str | None, *, recreate: bool, patience: float) -> Request:
    """What is to be deployed from this checkout.

    Raises:
        RefError: the named commit is not the one that is checked out.
    """
    from deploytag import repository
    from deploytag.delivery.deploy import Request
    from deploytag.errors import RefError
    from deploytag.ref import decide_revision, read_event

    def checked_out() -> str:
        return repository.read_head(checkout.root).commit

    # Whether it is what is checked out, to the last file, is for the run to see.
    found = decide_revision(os.environ, lambda: read_event(os.environ), checked_out)
    if revision is not None:
        head = checked_out()
        if not head.startswith(revision.lower()) or len(revision) < 7:
            raise RefError(
                f"{revision} is not the commit that is checked out, which is {head}: `git switch --detach {revision}` "
                "first. Nothing was touched."
            )
        found = head
    return Request(ref=ref, revision=found, pinned=revision is not None, recreate=recreate, patience=patience)


def print_plan(plan: Plan, wanted: Request, *, as_json: bool) -> None:
    """What would be done."""
    from deploytag.delivery.decision import AlreadyServed, Go, Skip

    kind: Literal["deploy", "unchanged", "skip"]
    match plan:
        case Go(why=why):
            kind, sentence = "deploy", f"{wanted.ref} at {wanted.revision[:12]} would be deployed: {why}"
        case AlreadyServed(serving=serving, url=url):
            kind, sentence = "unchanged", f"nothing to do: {url} serves {serving[:12]}"
        case Skip(why=why):
            kind, sentence = "skip", f"would be skipped: {why}"
    if as_json:
        from deploytag.cli.forms.plans import DeployPlan

        print_json(DeployPlan(plan=kind, ref=wanted.ref, revision=wanted.revision, reason=sentence))
    else:
        say(sentence)
