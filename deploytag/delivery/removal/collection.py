"""What a collection is for a program and for a CI's summary: the document of `deploytag gc --json`."""

from typing import Self

from pydantic import BaseModel, ConfigDict

from deploytag.delivery.inventory.document import Thing
from deploytag.delivery.removal import gc
from deploytag.delivery.removal.collect import ItemOutcome
from deploytag.delivery.removal.gc_run import Collected
from deploytag.delivery.report import Ending, Result


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, from_attributes=True, use_attribute_docstrings=True)


class Task(_Part):
    """Something that is done, and what became of it."""

    reason: str
    outcome: ItemOutcome | None = None
    """None: it was not to be done, only said."""
    why: str | None = None
    """Why it was skipped or failed; empty: it was done."""


class Entry(Task):
    """What is done to one environment, or to what is left of it."""

    deed: gc.Deed
    ref: str
    items: tuple[Thing, ...]


class Image(Task):
    """An image, or a cache of its build."""

    repository: str
    digest: str
    tags: tuple[str, ...]


class Note(_Part):
    """Something that a person should know, and nothing is done about."""

    subject: str
    text: str


class Collection(Ending):
    """A collection. A dry run's differs from the real one's in its outcomes only, which are null."""

    project: str
    refused: str | None
    """Why nothing is done at all."""
    refs: int | None
    """How many branches and tags the remote has; None: it did not answer."""
    entries: tuple[Entry, ...]
    images: tuple[Image, ...]
    images_withheld: str | None
    """Why no image is deleted this time: somebody deploys."""
    images_failure: str | None
    """Why it cannot be told which images are to be deleted: nothing else was kept from its turn by it."""
    warnings: tuple[Note, ...]
    """Environments that will be collected soon."""
    left_alone: tuple[Note, ...]
    """What is protected, and what cannot be proven to be ours."""

    @classmethod
    def of(cls, done: Collected) -> Self:
        """What is said of it."""
        plan, images, results = done.plan, done.images, iter(done.results or ())

        def ended() -> dict[str, object]:
            result = next(results, None)
            return {"outcome": result.outcome, "why": result.why} if result else {}

        said = cls(
            outcome=None if done.results is None else Result.COLLECTED,
            left=done.failures,
            project=done.project,
            refused=plan.refused,
            refs=plan.refs,
            entries=tuple(Entry.model_validate(it).model_copy(update=ended()) for it in plan.entries),
            images=tuple(Image.model_validate(it).model_copy(update=ended()) for it in images.entries),
            images_withheld=images.withheld,
            images_failure=str(images.failure) if images.failure else None,
            warnings=tuple(Note.model_validate(it) for it in plan.warnings),
            left_alone=tuple(Note.model_validate(it) for it in plan.left_alone),
        )
        return said.ended_by(done.error) if done.error else said
