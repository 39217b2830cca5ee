"""How a collection ends: what fails is named, and keeps nothing else from its turn."""

import os
from types import SimpleNamespace
from typing import Any

import pytest

from deploytag.delivery.asking import RefusedError
from deploytag.delivery.removal import collector
from deploytag.delivery.removal.collect import ItemOutcome, ItemResult
from deploytag.delivery.removal.collection import Collection
from deploytag.delivery.removal.gc import Deed, Entry, GcPlan
from deploytag.delivery.removal.gc_memory import GcMemory
from deploytag.delivery.removal.gc_run import Collected
from deploytag.delivery.removal.image_gc import ImageEntry, ImagePlan
from deploytag.delivery.removal.registry import Registry
from deploytag.errors import (
    DeployTagError,
    LeftoverError,
    ProtectedError,
    SettingsError,
    UnreachableError,
    UsageError,
)
from tests.schemas import fits
from tests.unit.delivery.objects import NOW

PLAN = GcPlan(entries=(Entry(Deed.DESTROY, "a", "gone", (), None), Entry(Deed.SLEEP, "b", "idle", (), None)), refs=3)
IMAGES = ImagePlan((ImageEntry("shop/app", "sha256:0123", ("1",), "unused"),))
SILENT = ImagePlan(failure=UnreachableError("the registry is silent"))
DONE, SKIPPED, FAILED = (
    ItemResult(ItemOutcome.DONE),
    ItemResult(ItemOutcome.SKIPPED, "busy"),
    ItemResult(ItemOutcome.FAILED, "it is held"),
)


def collected(plan: GcPlan = PLAN, images: ImagePlan = IMAGES, *results: ItemResult, acted: bool = True) -> Collected:
    return Collected("shop", plan, images, list(results) if acted else None)


@pytest.mark.parametrize(
    ("it", "kind", "named"),
    [
        (collected(PLAN, IMAGES, DONE, SKIPPED, DONE), None, ()),
        (collected(acted=False), None, ()),
        (collected(PLAN, ImagePlan(withheld="a run works"), DONE, DONE), None, ()),
        (collected(PLAN, IMAGES, FAILED, DONE, DONE), LeftoverError, ("destroy a: it is held",)),
        (collected(PLAN, IMAGES, DONE, FAILED, DONE), LeftoverError, ("sleep b: it is held",)),
        (
            collected(PLAN, IMAGES, DONE, DONE, FAILED),
            LeftoverError,
            ("delete shop/app@sha256:0123 (1): it is held",),
        ),
        (collected(PLAN, SILENT, DONE, DONE), UnreachableError, ("images: the registry is silent",)),
        (collected(PLAN, SILENT, acted=False), UnreachableError, ("images: the registry is silent",)),
        (collected(GcPlan(refs=3), SILENT), UnreachableError, ("images: the registry is silent",)),
        (
            collected(PLAN, SILENT, FAILED, DONE),
            LeftoverError,
            ("destroy a: it is held", "images: the registry is silent"),
        ),
        (collected(GcPlan(refused="no answer"), ImagePlan()), UnreachableError, ()),
        (collected(GcPlan(refused="too few", refs=1), ImagePlan()), ProtectedError, ()),
    ],
)
def test_what_fails_is_named_and_decides_the_exit_code(
    it: Collected, kind: type[DeployTagError] | None, named: tuple[str, ...]
) -> None:
    error = it.error
    assert error is None if kind is None else type(error) is kind
    assert it.failures == named
    for name in named:
        assert name.split(": ")[1] in str(error)


@pytest.mark.parametrize(
    ("it", "ended", "outcomes"),
    [
        (collected(PLAN, IMAGES, DONE, SKIPPED, DONE), ("collected", None, 0), ["done", "skipped", "done"]),
        (collected(PLAN, IMAGES, DONE, DONE, FAILED), ("failed", "LeftoverError", 13), ["done", "done", "failed"]),
        (collected(PLAN, SILENT, DONE, SKIPPED), ("failed", "UnreachableError", 8), ["done", "skipped"]),
        (collected(acted=False), (None, None, 0), [None, None, None]),
        (collected(GcPlan(refused="no answer"), ImagePlan()), ("failed", "UnreachableError", 8), []),
    ],
)
def test_a_collection_as_a_document(it: Collected, ended: tuple[object, ...], outcomes: list[str | None]) -> None:
    document = Collection.of(it).model_dump(mode="json")
    fits("gc", document)
    assert (document["outcome"], document["kind"], document["exit_code"]) == ended
    assert [deed["outcome"] for deed in (*document["entries"], *document["images"])] == outcomes
    assert tuple(document["left"]) == it.failures
    assert document["images_failure"] == (str(it.images.failure) if it.images.failure else None)


@pytest.mark.parametrize(
    ("failure", "kind"),
    [(SettingsError("x"), SettingsError), (UsageError("x"), UsageError), (RefusedError("x"), UnreachableError)],
)
def test_images_alone_end_a_collection_with_the_kind_of_their_error(
    failure: DeployTagError, kind: type[DeployTagError]
) -> None:
    assert type(collected(PLAN, ImagePlan(failure=failure), DONE, DONE).error) is kind


def test_a_registry_that_does_not_answer_is_an_error_of_the_images_and_what_was_seen_stays_remembered() -> None:
    memory = GcMemory(unreferenced={"sha256:0123": NOW})
    policy = SimpleNamespace(image_repositories=lambda project: [project])
    world: Any = SimpleNamespace(project="shop", policy=policy)
    plan = collector.images(world, Registry("127.0.0.1:9", os.environ), memory)
    assert type(plan.failure) is UnreachableError
    assert "127.0.0.1:9" in str(plan.failure)
    assert (plan.entries, plan.unreferenced, plan.withheld) == ((), memory.unreferenced, None)
