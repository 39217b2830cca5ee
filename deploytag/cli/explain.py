"""`deploytag why` and `logs`: what is the matter with one environment."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Annotated

import typer

from deploytag.cli.app import AsJson, Panel, app, print_json, say
from deploytag.cli.checkout import Branch, Checkout, Project, narrator
from deploytag.errors import UsageError

if TYPE_CHECKING:
    from deploytag.delivery.world import World
    from deploytag.identity import Identity


@app.command(rich_help_panel=Panel.LOOK)
def why(branch: Branch = None, project: Project = None, as_json: AsJson = False) -> None:
    """Say why an environment is stuck or unhealthy, in a sentence with evidence."""
    from deploytag.delivery.diagnosis import environment_secrets, explain, gather, watch

    checkout = Checkout.of(project)
    identity = checkout.identity(branch)
    world = checkout.open(narrator(as_json=as_json))
    explanation = explain.why(gather.gather(world, identity))
    evidence = list(explanation.evidence)
    if explanation.cause is not None:
        redact = environment_secrets.redactor_of(world.cluster, identity)
        evidence = watch.evidence(world.cluster, identity, explanation.cause, redact) + evidence
    if as_json:
        from deploytag.cli.forms.explanations import Why

        print_json(
            Why(
                ref=identity.ref,
                namespace=identity.namespace,
                state=explanation.state,
                cause=explanation.cause.kind if explanation.cause else None,
                why=explanation.sentence,
                evidence=tuple(evidence),
                what_now=explanation.what_now,
            )
        )
        return
    say(explanation.sentence)
    for line in evidence:
        say(f"  {line}")
    if explanation.what_now:
        say(explanation.what_now)


@app.command(rich_help_panel=Panel.LOOK)
def logs(
    branch: Branch = None,
    *,
    migration: Annotated[bool, typer.Option("--migration", help="Of the migration (the chart's hooks) only.")] = False,
    build: Annotated[bool, typer.Option("--build", help="Of the last build of its images.")] = False,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on printing what is written.")] = False,
    tail: Annotated[int, typer.Option(min=1, help="So many lines of each container.")] = 100,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Print the logs of an environment's containers, each line after its pod and container; or of its last build."""
    from deploytag.delivery.diagnosis import logs as delivery
    from deploytag.delivery.diagnosis.environment_secrets import redactor_of

    checkout = Checkout.of(project)
    identity = checkout.identity(branch)
    world = checkout.open(narrator(as_json=as_json))
    if build:
        if migration or follow:
            raise UsageError("--build prints what was kept of the last build: leave --migration and --follow out.")
        _print_build_log(world, identity, tail, as_json=as_json)
        return
    cluster = world.cluster
    redact = redactor_of(cluster, identity)
    if follow:
        known: set[str] = set()
        if as_json:
            raise UsageError("--json prints one document, and --follow has no end: choose one of them.")
        with contextlib.suppress(KeyboardInterrupt):
            for line in delivery.follow(cluster, identity, migration=migration, tail=tail):
                if line.source.pod not in known:
                    # A pod that is new may have new secrets.
                    known.add(line.source.pod)
                    redact = redactor_of(cluster, identity)
                say(f"{line.source.prefix} {redact(line.text)}")
        return
    found, complaints = delivery.read(cluster, identity, migration=migration, tail=tail)
    if as_json:
        from deploytag.cli.forms.explanations import Line, Logs

        printed = (Line(pod=it.source.pod, container=it.source.container, line=redact(it.text)) for it in found)
        print_json(Logs(ref=identity.ref, lines=tuple(printed), complaints=tuple(complaints)))
        return
    for line in found:
        say(f"{line.source.prefix} {redact(line.text)}")
    for complaint in complaints:
        say(complaint, err=True)
    if not found and not complaints:
        say(f"{identity.ref} has no {'migration' if migration else 'container'} with a log.", err=True)


def _print_build_log(world: World, identity: Identity, tail: int, *, as_json: bool) -> None:
    kept = world.records.build_log(identity)
    lines = kept.text.splitlines()[-tail:] if kept else []
    if as_json:
        from deploytag.cli.forms.explanations import Build

        revision, written = (kept.revision, kept.written) if kept else (None, None)
        print_json(Build(ref=identity.ref, revision=revision, written=written, lines=tuple(lines)))
        return
    for line in lines:
        say(line)
    if not lines:
        say(f"No build is known for {identity.ref}: its images were there already, or it is not deployed.", err=True)
