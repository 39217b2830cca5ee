"""`pulumi up` under a lease: shown while it works, ended by the first thing that cannot come right, and explained."""

from collections.abc import Callable
from pathlib import Path

from deploytag.delivery.cause import Cause
from deploytag.delivery.engine import EngineResult
from deploytag.delivery.events import Diagnostic, Event, Step
from deploytag.delivery.hold import Held, interrupted
from deploytag.delivery.progress import Progress
from deploytag.delivery.watch import Watcher, evidence
from deploytag.errors import DeploymentError

AFTERWARDS = 3.0
"""Seconds that a failed deployment waits for the cluster to say why."""

DONE = {
    "create": "made",
    "update": "changed",
    "replace": "replaced",
    "create-replacement": "made anew",
    "delete": "removed",
    "delete-replaced": "removed the old",
    "import": "took over",
}


def converge(held: Held, folder: Path, revision: str, *, asleep: bool = False) -> EngineResult:
    """Make the environment what the program in `folder` declares.

    Raises:
        DeploymentError: it could not; the environment stays, to be looked at.
        InterruptedRunError: a signal came; Pulumi ended what it was doing.
    """
    world, identity, cancellation = held.world, held.identity, held.cancellation
    told = {
        "DEPLOYTAG_BRANCH": identity.ref,
        "DEPLOYTAG_REVISION": revision,
        "DEPLOYTAG_ASLEEP": "true" if asleep else "",
    }
    engine = held.engine(folder, told)
    engine.ensure_stack()

    def end_because(cause: Cause) -> None:
        world.progress.fail(cause.what)
        cancellation.request(cause.what)

    with Watcher(world.cluster, identity, end_because) as watcher:
        result = engine.up(show(world.progress), cancellation)
        # Helm sees a failed hook as soon as the watcher does.
        fatal = watcher.cause if result.ok else watcher.cause_within(AFTERWARDS)
    if result.ok:
        return result
    if fatal:
        raise _cannot_come_right(held, fatal)
    if cancellation.requested:
        raise interrupted(identity, cancellation)
    raise DeploymentError(f"{identity.ref} was not deployed: {result.complaint}")


def show(progress: Progress) -> Callable[[Event], None]:
    """Tells a person what the engine changed, and what it complains of as soon as it does."""
    complained: set[str] = set()

    def on_event(event: Event) -> None:
        match event:
            case Step(state="done", changes=True, operation=operation):
                progress.say(f"{DONE.get(operation, operation)} {event.kind} {event.name}")
            case Step(state="begun" | "done", operation=operation):
                progress.detail(f"{event.state} {operation} {event.kind} {event.name}")
            case Step(state="failed"):
                progress.fail(f"failed {event.kind} {event.name}")
            case Diagnostic(severity="warning", message=message) if message not in complained:
                complained.add(message)
                progress.warn(message)

    return on_event


def _cannot_come_right(held: Held, cause: Cause) -> DeploymentError:
    """Shows the evidence, so that what is read last is the sentence."""
    world, ref = held.world, held.identity.ref
    for line in evidence(world.cluster, held.identity, cause):
        world.progress.fail(line)
    return DeploymentError(
        f"{ref} was not deployed: {cause.what}\n{cause.hint}\nThe environment stays, to be looked at: "
        f"deploytag why {ref}; deploytag logs {ref}"
    )
