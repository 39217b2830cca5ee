"""`pulumi up` under a lease, ended by the first thing that cannot come right, and explained."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from deploytag.delivery.diagnosis.cause import Cause
from deploytag.delivery.diagnosis.environment_secrets import learn_from, redactor_of
from deploytag.delivery.diagnosis.verify import answers
from deploytag.delivery.diagnosis.watch import Watcher, evidence
from deploytag.delivery.engine import Engine, EngineResult
from deploytag.delivery.hold import Held, interrupted
from deploytag.delivery.inventory import databases
from deploytag.errors import DeploymentError, InterruptedRunError
from deploytag.identity import Identity
from deploytag.redaction import redact, spare
from deploytag.settings import ApplicationSettings

AFTERWARDS = 3.0
"""Seconds that a failed deployment waits for the cluster to say why."""

_TRIES = 3
"""How often an image is pushed that others push at the same time."""


def lost_a_push(complaint: str) -> bool:
    """Whether a registry refused an image for what another push of the same layers did to it. Pure.

    Seen with docker-registry 2.8, which writes its files in place: who pushes the same layer at that moment, or died at
    it, leaves the file that names it empty for the other. The same push goes through later. Version 3 renames them.
    """
    return "failed to push" in complaint and any(
        said in complaint for said in ("blob unknown to registry", "digest did not match", "blob upload unknown")
    )


def versions_of(result: EngineResult) -> dict[str, str]:
    """The versions of secrets that a program says it used."""
    said = result.outputs.get("secret_versions")
    return {str(name): str(version) for name, version in said.items()} if isinstance(said, dict) else {}


def url_of(result: EngineResult, identity: Identity) -> str:
    """The URL that a program says its environment has.

    Raises:
        DeploymentError: it says none.
    """
    if not isinstance(url := result.outputs.get("url"), str):
        raise DeploymentError(
            f"{identity.ref} is deployed, but its program has no stack output `url`, so nothing can be verified. "
            "`Environment.outputs` has it; export it in __main__.py."
        )
    return url


@contextmanager
def watched(held: Held) -> Iterator[Watcher]:
    """Within it, whatever the run is doing is ended by the first thing in the namespace that cannot come right.

    To be entered before anything is changed, and left when the address is verified.

    Raises:
        DeploymentError: there was such a thing; the environment stays, to be looked at.
    """
    world, identity, cancellation = held.world, held.identity, held.cancellation

    def end_because(cause: Cause) -> None:
        world.progress.fail(cause.what)
        cancellation.request(cause.what)

    # What the pods have now; what they are to have is learned when it is read.
    learn_from(world.cluster, identity)
    with Watcher(world.cluster, identity, end_because) as watcher:
        try:
            yield watcher
        except (DeploymentError, InterruptedRunError):
            # What ended knows only that it was asked to, or what came of the cause.
            if watcher.cause is None:
                raise
    if watcher.cause:
        raise _cannot_come_right(held, watcher.cause)


def converge(held: Held, engine: Engine, watcher: Watcher) -> EngineResult:
    """Make the environment what the engine's program declares, within `watched`.

    Raises:
        DeploymentError: it could not; the environment stays, to be looked at.
        InterruptedRunError: the run was asked to end; Pulumi ended what it was doing.
    """
    identity, cancellation = held.identity, held.cancellation
    result = engine.up()
    for _ in range(_TRIES - 1):
        if not lost_a_push(result.complaint) or cancellation.requested:
            break
        held.world.progress.warn("the registry lost an image while several runs pushed it: once more")
        held.builds.begin_again()
        result = engine.up()
    held.keep_build_log()
    if result.ok:
        # It is said again and again, and a secret may hold it, or its host.
        spare([str(result.outputs.get("url", ""))])
        _shut_out(held)
        return result
    # Helm sees a failed hook as soon as the watcher does.
    if cancellation.requested or watcher.cause_within(AFTERWARDS):
        raise interrupted(identity, cancellation)
    if ending := held.builds.ending:
        raise _does_not_build(held, ending, result.complaint)
    raise DeploymentError(f"{identity.ref} was not deployed: {result.complaint}")


def verified(held: Held, url: str, revision: str, settings: ApplicationSettings, *, known: str | None) -> None:
    """Wait until the address serves the revision, and nothing else; `known` is the one that answered before.

    Raises:
        DeploymentError: it does not come to that.
        InterruptedRunError, BusyError: the run was asked to end, or does not hold the lease any more.
    """
    progress = held.world.progress
    with progress.phase("verify"):
        answers(
            held.world.cluster,
            held.identity,
            url,
            revision,
            settings.verify,
            known=known,
            # Helm waits for less: for pods that are ready, and not for all of them where some may be missing.
            rollout=settings.chart.timeout,
            check=held.go_on,
            say=progress.say,
        )


def _shut_out(held: Held) -> None:
    """End what came into the database before it was closed: others could, for a moment, when it was made."""
    world, database = held.world, held.identity.database
    if world.administrator is None or not world.policy.class_of(held.identity.ref).database:
        return
    with databases.connected(world.administrator) as server:
        if left := server.shut_out(database):
            world.progress.warn(
                f"{', '.join(left)} may not connect to the database {database} and has sessions there that "
                f"{world.administrator.user} may not end: end them as a superuser (pg_terminate_backend)"
            )


def _does_not_build(held: Held, ending: Sequence[str], complaint: str) -> DeploymentError:
    for line in ending:
        held.world.progress.fail(f"| {redact(line)}")
    ref = held.identity.ref
    return DeploymentError(
        f"{ref} was not deployed: {complaint.strip()}\nEverything that the builds printed: deploytag logs {ref} --build"
    )


def _cannot_come_right(held: Held, cause: Cause) -> DeploymentError:
    """Shows the evidence, so that what is read last is the sentence."""
    world, ref = held.world, held.identity.ref
    for line in evidence(world.cluster, held.identity, cause, redactor_of(world.cluster, held.identity)):
        world.progress.fail(line)
    return DeploymentError(
        f"{ref} was not deployed: {cause.what}\n{cause.hint}\nThe environment stays, to be looked at: "
        f"deploytag why {ref}; deploytag logs {ref}"
    )
