"""One collection, from what there is to what became of it. `Collected.error` is pure."""

from dataclasses import dataclass, field
from pathlib import Path

from deploytag.delivery.hold import stoppable
from deploytag.delivery.project import PulumiProject
from deploytag.delivery.removal import collect, collector, gc_memory
from deploytag.delivery.removal.collect import ItemOutcome, ItemResult
from deploytag.delivery.removal.gc import GcPlan, decide
from deploytag.delivery.removal.image_gc import ImagePlan
from deploytag.delivery.removal.registry import Registry
from deploytag.delivery.world import World
from deploytag.errors import DeployTagError, LeftoverError, ProtectedError, UnreachableError, UsageError, kind_of


@dataclass(frozen=True, slots=True)
class Collected:
    """What was to be done, and what became of it."""

    project: str
    plan: GcPlan
    images: ImagePlan = field(default_factory=ImagePlan)
    results: list[ItemResult] | None = None
    """A result for each entry of the plan, then for each image; None: nothing was to be done, only said."""

    @property
    def failures(self) -> tuple[str, ...]:
        """What could not be collected: a sentence each."""
        whats = [*(f"{it.deed} {it.ref}" for it in self.plan.entries), *(f"delete {it}" for it in self.images.entries)]
        failed = tuple(
            f"{what}: {result.why}"
            for what, result in zip(whats, self.results or (), strict=False)
            if result.outcome is ItemOutcome.FAILED
        )
        return (*failed, f"images: {self.images.failure}") if self.images.failure else failed

    @property
    def error(self) -> DeployTagError | None:
        """What the command ends with."""
        plan, unknown = self.plan, self.images.failure
        if plan.refused is not None:
            return UnreachableError(plan.refused) if plan.refs is None else ProtectedError(plan.refused)
        failures = self.failures
        if unknown is not None and len(failures) == 1:
            what = "nobody knows which images" if self.results is None else "everything was collected but images"
            return kind_of(unknown)(f"{what}: {unknown}")
        if failures:
            return LeftoverError("\n  ".join([f"{len(failures)} could not be collected:", *failures]), failures)
        return None


def run(world: World, registry: str | None, *, yes: bool, allow_shrink: bool, allow_remote: bool) -> Collected:
    """Decide what should not exist, and with `yes` remove it.

    Args:
        world: the project.
        registry: the image registry; None: the one that Pulumi.yaml names.
        yes: do it.
        allow_shrink: believe a remote that lost more than half of its branches.
        allow_remote: believe another repository than until now.

    Raises:
        InterruptedRunError: a signal came.
        UnreachableError: somebody who has to be asked does not answer. That the registry is silent keeps nothing but
            images from its turn.
    """
    memory = gc_memory.load(world.cluster, world.project)
    facts = collector.facts(world, memory, allow_shrink=allow_shrink, allow_remote=allow_remote)
    plan = decide(facts)
    if plan.refs is None or plan.refused is not None:
        return Collected(world.project, plan)
    client = None
    try:
        client = Registry(registry or _registry(world.repository), world.environ)
    except DeployTagError as error:
        images = ImagePlan(unreferenced=memory.unreferenced, failure=error)
    else:
        images = collector.images(world, client, memory)
    if not yes:
        return Collected(world.project, plan, images)
    with stoppable() as cancellation:
        means = collector.Collector(world, client, cancellation)
        results = collect.act(plan, images.entries, means, world.progress.say, means.go_on)
    collector.remember(world, facts, images)
    return Collected(world.project, plan, images, results)


def _registry(repository: Path) -> str:
    if found := PulumiProject.load(repository).default("registry"):
        return found
    raise UsageError(collector.NO_REGISTRY)
