"""Which images nothing refers to any more. Pure.

How old an image is cannot be asked: it is built without any time in it, so that the same content is the same image
everywhere, and the registry does not say when it was pushed. So its age is counted from when a collection first saw
that nothing refers to it, which also spares what was just built and is about to be deployed.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from deploytag.errors import DeployTagError

GRACE = timedelta(hours=24)
"""How long nothing has to refer to an image before it is deleted."""

IMAGES = ("base", "app")
"""What a repository's path is followed by, see `deploytag.program.images`."""

CACHE = "cache"
"""The tag of whatever was built last; `cache-TAG` is the cache of the image TAG. See `deploytag.program.images`."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class StoredImage:
    """A manifest in the registry: an image, or a cache."""

    repository: str
    digest: str
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ImageEntry:
    """One to delete."""

    repository: str
    digest: str
    tags: tuple[str, ...]
    reason: str

    def __str__(self) -> str:
        """`shop/app@sha256:0123456789ab (tag, tag)`."""
        return f"{self.repository}@{self.digest[:19]} ({', '.join(self.tags)})"


@dataclass(frozen=True, slots=True)
class ImagePlan:
    """What is deleted, and what is waited for."""

    entries: tuple[ImageEntry, ...] = ()
    unreferenced: Mapping[str, datetime] = field(default_factory=dict)
    """Digest to when nothing was first seen to refer to it; to be remembered for the next time."""
    withheld: str | None = None
    """Why no image is deleted this time: somebody deploys."""
    failure: DeployTagError | None = None
    """Why it cannot be told what is to be deleted: an error of the images alone."""


def decide_images(
    stored: Iterable[StoredImage],
    references: Iterable[str],
    seen: Mapping[str, datetime],
    now: datetime,
    grace: timedelta = GRACE,
) -> ImagePlan:
    """The plan.

    Args:
        stored: everything in the project's repositories.
        references: image references as pods, records and states have them, with a digest or a tag.
        seen: what the last plan said is to be remembered.
        now: the time.
        grace: how long nothing has to refer to an image.
    """
    stored = sorted(stored, key=lambda it: (it.repository, it.digest))
    used = _used(stored, references)
    unreferenced = {it.digest: seen.get(it.digest, now) for it in stored if it.digest not in used}
    entries = [
        ImageEntry(
            it.repository, it.digest, it.tags, f"nothing has referred to it since {unreferenced[it.digest]:%F %R} UTC"
        )
        for it in stored
        if it.digest in unreferenced and now - unreferenced[it.digest] >= grace
    ]
    # A digest that is deleted and pushed again begins anew.
    deleted = {entry.digest for entry in entries}
    return ImagePlan(tuple(entries), {digest: since for digest, since in unreferenced.items() if digest not in deleted})


def is_used(image: StoredImage, references: Iterable[str]) -> bool:
    """Whether something refers to this one image."""
    return image.digest in _used([image], references)


def _used(stored: Iterable[StoredImage], references: Iterable[str]) -> set[str]:
    """Digests that something refers to: a reference, the newest cache, or the image that a cache is of."""
    digests: set[str] = set()
    named: set[str] = set()
    for reference in references:
        digests |= set(_DIGEST.findall(reference))
        if "@" not in reference:
            named.add(reference)
    # `registry/shop/app:tag` names the tag of the repository `shop/app`.
    used = {
        it.digest
        for it in stored
        if it.digest in digests
        or CACHE in it.tags
        or any(name.endswith(f"/{it.repository}:{tag}") for name in named for tag in it.tags)
    }
    kept = {(it.repository, tag) for it in stored if it.digest in used for tag in it.tags}
    return used | {
        it.digest
        for it in stored
        if any((it.repository, tag.removeprefix(f"{CACHE}-")) in kept for tag in it.tags if tag.startswith(f"{CACHE}-"))
    }
