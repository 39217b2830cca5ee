"""Carries out what `gc` decided, one thing after the other: what fails is said and keeps nothing else from its turn."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Protocol

from deploytag.delivery.record import Record
from deploytag.delivery.removal.gc import Deed, Entry, GcPlan, changed
from deploytag.delivery.removal.image_gc import ImageEntry
from deploytag.delivery.run import SkippedError
from deploytag.errors import DeployTagError, InterruptedRunError


class ItemOutcome(StrEnum):
    """What became of an entry."""

    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ItemResult:
    """What became of one entry, and why when it was not done."""

    outcome: ItemOutcome
    why: str = ""


class Actor(Protocol):
    """Who does it.

    Each deed takes the environment's lease, then asks `still`, and raises SkippedError where that says why not, or
    where a run that lives holds the lease.
    """

    def tip(self, ref: str) -> str | None:
        """What the remote says of the ref now."""
        ...

    def record(self, ref: str) -> Record | None:
        """What is remembered of its environment now."""
        ...

    def destroy(self, ref: str, still: Callable[[], str | None], tip: str | None) -> None:
        """Remove everything of its environment; a deployment of `tip` does not bring it back."""
        ...

    def sleep(self, ref: str, still: Callable[[], str | None]) -> None:
        """Stop its pods."""
        ...

    def free_lease(self, ref: str, still: Callable[[], str | None]) -> None:
        """Take its lease over from a dead run and give it back."""
        ...

    def forget_tombstone(self, ref: str, still: Callable[[], str | None]) -> None:
        """Delete its tombstone."""
        ...

    def delete_image(self, image: ImageEntry) -> None:
        """Delete an image from the registry."""
        ...


def act(
    plan: GcPlan,
    images: Iterable[ImageEntry],
    actor: Actor,
    say: Callable[[str], None],
    go_on: Callable[[], None] = lambda: None,
) -> list[ItemResult]:
    """Do what the plan says, in its order: a result for each entry, then one for each image.

    `go_on` is asked before each, and raises where a signal came.

    Raises:
        InterruptedRunError: a signal came; what was not done yet is not done.
    """
    results = []
    for entry in plan.entries:
        go_on()
        say(f"{entry.deed} {entry.ref}: {entry.reason}")
        results.append(_attempt(partial(_do, entry, actor), say))
    for image in images:
        go_on()
        say(f"delete {image}: {image.reason}")
        results.append(_attempt(partial(actor.delete_image, image), say))
    return results


def _do(entry: Entry, actor: Actor) -> None:
    def still() -> str | None:
        return changed(entry, actor.tip(entry.ref), actor.record(entry.ref))

    if why_not := still():
        raise SkippedError(why_not)
    deeds: dict[Deed, Callable[[str, Callable[[], str | None]], None]] = {
        # What the remote said before may be another commit than what it says next, which somebody has just pushed.
        Deed.DESTROY: partial(actor.destroy, tip=entry.tip),
        Deed.SLEEP: actor.sleep,
        Deed.FREE_LEASE: actor.free_lease,
        Deed.FORGET_TOMBSTONE: actor.forget_tombstone,
    }
    deeds[entry.deed](entry.ref, still)


def _attempt(deed: Callable[[], None], say: Callable[[str], None]) -> ItemResult:
    try:
        deed()
    except SkippedError as skipped:
        say(f"skipped: {skipped}")
        return ItemResult(ItemOutcome.SKIPPED, str(skipped))
    except InterruptedRunError:
        raise
    except DeployTagError as error:
        say(f"failed: {error}")
        return ItemResult(ItemOutcome.FAILED, str(error))
    # Whatever one environment makes of the code, the others have their turn.
    except Exception as error:
        say(f"failed: {type(error).__name__}: {error}")
        return ItemResult(ItemOutcome.FAILED, f"{type(error).__name__}: {error}")
    return ItemResult(ItemOutcome.DONE)
