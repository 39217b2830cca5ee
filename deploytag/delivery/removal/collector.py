"""Collecting for real: the lease, git and the registry behind `collect`."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from deploytag.delivery import idle
from deploytag.delivery.hold import hold
from deploytag.delivery.inventory import look as inventory
from deploytag.delivery.inventory.references import references
from deploytag.delivery.processes.cancellation import Cancellation
from deploytag.delivery.provenance import hindrance
from deploytag.delivery.record import Record
from deploytag.delivery.removal import gc_memory
from deploytag.delivery.removal.gc import Facts
from deploytag.delivery.removal.gc_memory import GcMemory
from deploytag.delivery.removal.image_gc import IMAGES, ImageEntry, ImagePlan, StoredImage, decide_images, is_used
from deploytag.delivery.removal.registry import NoDeletionError, Registry
from deploytag.delivery.removal.remove import remove
from deploytag.delivery.run import Action, Run, SkippedError, Still
from deploytag.delivery.world import World
from deploytag.errors import (
    BusyError,
    DeployTagError,
    InterruptedRunError,
    LeftoverError,
    SettingsError,
    UnreachableError,
    UsageError,
)

NO_REGISTRY = "Pulumi.yaml names no registry (`config: registry:`). Give it with --registry."


def facts(world: World, memory: GcMemory, *, allow_shrink: bool = False, allow_remote: bool = False) -> Facts:
    """What the collection of a project is decided by.

    Raises:
        UnreachableError: somebody who has to be asked does not answer. The remote is not among them: that it is silent
            is a fact.
    """
    counted, remote_error = None, ""
    try:
        counted = world.remote.counted()
    except (UnreachableError, SettingsError) as error:
        remote_error = str(error)
    live = frozenset(state.ref for state in world.leases.all(world.project).values() if state.live and state.ref)
    return Facts(
        refs=counted.tips if counted else None,
        branches=counted.branches if counted else 0,
        remote_error=remote_error,
        branches_before=memory.branches,
        refs_before=memory.refs,
        inventory=inventory.all(world.project, world.sources),
        live=live,
        policy=world.policy,
        now=datetime.now(UTC),
        allow_shrink=allow_shrink,
        remote=world.remote.place,
        remotes_before=frozenset(memory.remotes),
        allow_remote=allow_remote,
    )


def images(world: World, registry: Registry, memory: GcMemory) -> ImagePlan:
    """Which images nothing refers to any more; none while somebody deploys, who may be about to refer to one."""
    try:
        # In this order: what is pushed meanwhile is not in the list.
        repositories = world.policy.image_repositories(world.project)
        stored = [it for path in repositories for name in IMAGES for it in registry.images(f"{path}/{name}")]
        used = images_in_use(world)
    except DeployTagError as error:
        return ImagePlan(unreferenced=memory.unreferenced, failure=error)
    if isinstance(used, str):
        return ImagePlan(unreferenced=memory.unreferenced, withheld=used)
    return decide_images(stored, used, memory.unreferenced, datetime.now(UTC))


def images_in_use(world: World) -> set[str] | str:
    """References of images; or why it cannot be told: who deploys may be about to refer to one.

    Raises:
        DeployTagError: not everybody could be asked.
    """
    if live := [state.said for state in world.leases.all(world.project).values() if state.live]:
        return f"while this runs: {', '.join(live)}"
    return references(world.project, world.cluster, world.store, world.records.all(world.project))


@dataclass(frozen=True, slots=True)
class Collector:
    """Does what a collection's plan says."""

    world: World
    registry: Registry | None
    """None: nobody knows which it is, so no image is in the plan."""
    cancellation: Cancellation
    """Of the whole collection: a signal ends what is done now, and nothing is begun after it."""

    def go_on(self) -> None:
        """Say whether to go on.

        Raises:
            InterruptedRunError: a signal asked the collection to end.
        """
        if self.cancellation.requested:
            raise InterruptedRunError(
                f"the collection was stopped by {self.cancellation.reason}. Run it again for what it did not come to."
            )

    def tip(self, ref: str) -> str | None:
        """What the remote says of the ref now."""
        return self.world.remote.tip(ref)

    def record(self, ref: str) -> Record | None:
        """What is remembered of its environment now."""
        return self.world.records.get(self.world.identity(ref))

    def destroy(self, ref: str, still: Still, tip: str | None) -> None:
        """Remove everything of its environment; a deployment of `tip` does not bring it back."""
        patience = self._patience(ref)

        def destroyed(begin: Callable[[Still], Still]) -> None:
            with self.cancellation.part() as stop:
                remove(self.world, ref, patience=patience, still=begin(still), tip=lambda: tip, cancellation=stop)

        self._unless_busy(ref, destroyed)

    def sleep(self, ref: str, still: Still) -> None:
        """Stop its pods."""
        identity, patience = self.world.identity(ref), self._patience(ref)

        def awake() -> str | None:
            record = self.record(ref)
            deployed = record.deployed if record else None
            return still() or (hindrance(self.world, identity, deployed, self.tip(ref)) if deployed else None)

        def put_to_sleep(begin: Callable[[Still], Still]) -> None:
            with self.cancellation.part() as stop:
                idle.sleep(self.world, ref, patience=patience, still=begin(awake), cancellation=stop)

        self._unless_busy(ref, put_to_sleep)

    def free_lease(self, ref: str, still: Still) -> None:
        """Take its lease over from a dead run and give it back."""
        identity, patience = self.world.identity(ref), self._patience(ref)

        def free(begin: Callable[[Still], Still]) -> None:
            run = Run.start(Action.DESTROY, None)
            with (
                self.cancellation.part() as stop,
                hold(self.world, identity, run, patience=patience, still=begin(still), cancellation=stop),
            ):
                pass  # whose it was is ended, and it is given back

        self._unless_busy(ref, free)

    def forget_tombstone(self, ref: str, still: Still) -> None:
        """Delete its tombstone. It needs no lease: nothing of an environment is touched."""
        if why_not := still():
            raise SkippedError(why_not)
        identity = self.world.identity(ref)
        self.world.records.clear(identity)
        if self.world.records.tombstone(identity) is not None:
            raise LeftoverError("it was told to go and does not; its finalizers say who holds it")

    def delete_image(self, image: ImageEntry) -> None:
        """Delete an image from the registry, unless it came into use; one that deletes nothing is no failure."""
        if self.registry is None:
            raise UsageError(NO_REGISTRY)
        found = images_in_use(self.world)
        if isinstance(found, str):
            raise SkippedError(found)
        if is_used(StoredImage(image.repository, image.digest, image.tags), found):
            raise SkippedError("it is in use again")
        try:
            self.registry.delete(image.repository, image.digest)
        except NoDeletionError as refusal:
            raise SkippedError(str(refusal)) from None

    def _patience(self, ref: str) -> float:
        """Seconds to wait for the lease: none for a run that lives.

        A lease that a dead run left just now has to be watched for its whole duration before anybody may take it.
        """
        state = self.world.leases.read(self.world.identity(ref))
        return 0 if state is None or state.live else 2 * state.duration

    def _unless_busy(self, ref: str, deed: Callable[[Callable[[Still], Still]], object]) -> None:
        """Skip what a live run holds; that this run loses its lease later on is a failure."""
        begun = False

        def begin(still: Still) -> Still:
            def ask() -> str | None:
                nonlocal begun
                begun = True
                return still()

            return ask

        try:
            deed(begin)
        except BusyError as error:
            if begun:
                raise
            raise SkippedError(f"{ref} is worked on: {error}") from None


def remember(world: World, facts: Facts, plan: ImagePlan) -> None:
    """Leave for the next collection what this one saw."""
    remotes = tuple(sorted({*facts.remotes_before, *([facts.remote] if facts.remote else [])}))
    memory = GcMemory(branches=facts.branches, remotes=remotes, unreferenced=dict(plan.unreferenced))
    gc_memory.save(world.cluster, world.project, memory)
