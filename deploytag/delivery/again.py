"""Declares once more what was deployed: the commit of the record, whatever the branch's tip or the checkout is."""

from dataclasses import dataclass

from deploytag.delivery.converge import converge, url_of, verified, versions_of, watched
from deploytag.delivery.hold import Held
from deploytag.delivery.lifetime import expiry
from deploytag.delivery.previous import telling_what_still_serves
from deploytag.delivery.protection import refuse_ending
from deploytag.delivery.record import Deployed, Record
from deploytag.delivery.report import Report, Result
from deploytag.delivery.run import Action
from deploytag.delivery.secret_versions import check, secrets_manager
from deploytag.delivery.worktree import worktree
from deploytag.delivery.world import World
from deploytag.identity import Identity
from deploytag.settings import ApplicationSettings


@dataclass(frozen=True, slots=True)
class Declared:
    """What became of it."""

    deployed: Deployed
    """As it is now: the same commit, with the secrets of today, at the address that it has today."""
    repaired: tuple[str, ...]
    """What an earlier run had left half done."""


def report(
    world: World,
    identity: Identity,
    action: Action,
    outcome: Result,
    record: Record | None,
    *,
    reason: str | None,
    repaired: tuple[str, ...] = (),
) -> Report:
    """What is said of a run on what is deployed already."""
    deployed = record.deployed if record else None
    cls = world.policy.classes.get(record.environment_class or "") if record else None
    return Report(
        action=action,
        ref=identity.ref,
        stack=identity.stack,
        outcome=outcome,
        revision=deployed.revision if deployed else None,
        url=deployed.url if deployed else None,
        reason=reason,
        seconds=dict(world.progress.seconds),
        repaired=repaired,
        expires=expiry(record, cls) if record and cls else None,
    )


def declare_again(held: Held, deployed: Deployed, *, asleep: bool = False) -> Declared:
    """Make the environment what its deployed commit declares today; verified unless it is to sleep.

    Whether its commit may be run is `deploytag.delivery.provenance`.

    Raises:
        DeployTagError: it cannot be done; what was deployed before may still serve.
    """
    world, cls = held.world, held.world.policy.class_of(held.identity.ref)
    with worktree(world.repository, world.remote, deployed.revision, held.scratch / "worktree") as project:
        # Its policy decides nothing, and may be one of long ago.
        settings = ApplicationSettings.load(project)
        check(secrets_manager, held.identity, settings, cls)
        engine = held.program(project, deployed.revision, asleep=asleep)
        with world.progress.phase("repair"):
            repaired = held.repair(engine)
        refuse_ending(cls, held.identity.ref, engine, world.progress)
        with telling_what_still_serves(deployed, settings.verify, world.progress), watched(held) as watcher:
            with world.progress.phase("apply"):
                result = converge(held, engine, watcher)
            # What its class says of the access may have changed, or what the cloud gave it.
            url, versions = url_of(result, held.identity), versions_of(result)
            if not asleep:
                verified(held, url, deployed.revision, settings, known=deployed.url)
    now = deployed.model_copy(update={"url": url})
    if versions == deployed.secret_versions:
        return Declared(now, repaired)
    # The fingerprint is of the versions before: should they come back, it must not say that they are deployed.
    return Declared(now.model_copy(update={"secret_versions": versions, "fingerprint": ""}), repaired)
