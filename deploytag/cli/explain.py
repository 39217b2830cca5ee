"""`deploytag why` and `logs`: what is the matter with one environment."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploytag.cli.app import AsJson, app, nearest, nearest_project, print_json
from deploytag.errors import SettingsError, UsageError
from deploytag.identity import Identity, identify

if TYPE_CHECKING:
    from deploytag.delivery.cluster import Cluster

Branch = Annotated[str | None, typer.Argument(help="A branch or tag; by default the one that is checked out.")]


@app.command()
def why(branch: Branch = None, as_json: AsJson = False) -> None:
    """Say why an environment is stuck or unhealthy, in a sentence with evidence."""
    from deploytag.delivery import explain, gather, watch  # noqa: PLC0415 - `deploytag name` need not load a client

    cluster, identity = _subject(branch)
    explanation = explain.why(gather.gather(cluster, identity, gather.Questions()))
    evidence = list(explanation.evidence)
    if explanation.cause is not None:
        evidence = watch.evidence(cluster, identity, explanation.cause) + evidence[bool(explanation.cause.event) :]
    if as_json:
        print_json(
            {
                "ref": identity.ref,
                "namespace": identity.namespace,
                "state": explanation.state,
                "cause": explanation.cause.kind if explanation.cause else None,
                "why": explanation.sentence,
                "evidence": evidence,
                "what_now": explanation.what_now,
            }
        )
        return
    typer.echo(explanation.sentence)
    for line in evidence:
        typer.echo(f"  {line}")
    if explanation.what_now:
        typer.echo(explanation.what_now)


@app.command()
def logs(
    branch: Branch = None,
    migration: Annotated[bool, typer.Option("--migration", help="Of the migration (the chart's hooks) only.")] = False,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on printing what is written.")] = False,
    tail: Annotated[int, typer.Option(min=1, help="So many lines of each container.")] = 100,
    as_json: AsJson = False,
) -> None:
    """Print the logs of an environment's containers, each line after its pod and container."""
    from deploytag.delivery import logs as delivery  # noqa: PLC0415 - as in `why`

    cluster, identity = _subject(branch)
    if follow:
        if as_json:
            raise UsageError("--json prints one document, and --follow has no end: choose one of them.")
        with contextlib.suppress(KeyboardInterrupt):
            for line in delivery.follow(cluster, identity, migration=migration, tail=tail):
                typer.echo(f"{line.source.prefix} {line.text}")
        return
    found, complaints = delivery.read(cluster, identity, migration=migration, tail=tail)
    if as_json:
        print_json(
            {
                "ref": identity.ref,
                "lines": [
                    {"pod": line.source.pod, "container": line.source.container, "line": line.text} for line in found
                ],
                "complaints": complaints,
            }
        )
        return
    for line in found:
        typer.echo(f"{line.source.prefix} {line.text}")
    for complaint in complaints:
        typer.echo(complaint, err=True)
    if not found and not complaints:
        typer.echo(f"{identity.ref} has no {'migration' if migration else 'container'} with a log.", err=True)


def _subject(branch: str | None) -> tuple[Cluster, Identity]:
    """The cluster of the policy, and the environment that is meant."""
    from deploytag import ref, settings  # noqa: PLC0415 - as in `why`
    from deploytag.delivery.cluster import open_cluster  # noqa: PLC0415
    from deploytag.yamlmodel import read_model  # noqa: PLC0415

    here = Path.cwd()
    path = nearest(settings.POLICY_FILE, here)
    if path is None:
        raise UsageError(f"There is no {settings.POLICY_FILE} in {here} or above it. Run this in a checkout.")
    policy = read_model(path, settings.Policy)  # alone: what the branch's own settings say has no part in this
    if not isinstance(policy, settings.Policy):
        raise SettingsError("\n  ".join(["the policy cannot be used:", *policy]))
    name = branch or ref.find_ref(os.environ, None, here).name
    return open_cluster(policy.cluster, os.environ), identify(nearest_project(here), name)
