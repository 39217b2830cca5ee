"""Which images nothing refers to any more."""

from datetime import UTC, datetime, timedelta

import pytest

from deploytag.delivery.removal.image_gc import GRACE, ImagePlan, StoredImage, decide_images, is_used

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
OLD = NOW - GRACE


def digest(letter: str) -> str:
    return f"sha256:{letter * 64}"


def stored(letter: str, *tags: str, repository: str = "shop/app") -> StoredImage:
    return StoredImage(repository, digest(letter), tags)


def deleted(plan: ImagePlan) -> set[str]:
    return {entry.digest for entry in plan.entries}


def test_an_image_is_deleted_when_nothing_has_referred_to_it_for_long_enough() -> None:
    first = decide_images([stored("a", "1")], [], {}, NOW)
    assert deleted(first) == set()
    assert first.unreferenced == {digest("a"): NOW}
    early = decide_images([stored("a", "1")], [], first.unreferenced, NOW + GRACE - timedelta(seconds=1))
    assert deleted(early) == set()
    assert early.unreferenced == first.unreferenced
    late = decide_images([stored("a", "1")], [], early.unreferenced, NOW + GRACE)
    assert deleted(late) == {digest("a")}
    assert late.unreferenced == {}


def test_a_reference_in_between_begins_the_time_anew() -> None:
    plan = decide_images([stored("a", "1")], [f"r/shop/app:1@{digest('a')}"], {digest("a"): OLD}, NOW)
    assert plan == ImagePlan((), {})


@pytest.mark.parametrize(
    ("reference", "kept"),
    [
        (f"registry.test:5000/shop/app:1@{digest('a')}", True),
        (f"registry.test:5000/shop/app@{digest('a')}", True),
        (digest("a"), True),
        (f"docker-pullable://registry.test/shop/app@{digest('a')}", True),
        ("registry.test:5000/shop/app:1", True),
        ("registry.test:5000/team/shop/app:1", True),
        ("registry.test:5000/shop/app:2", False),
        ("registry.test:5000/shop/base:1", False),
        ("registry.test:5000/workshop/app:1", False),
        (f"registry.test:5000/shop/app:1@{digest('b')}", False),
        ("", False),
    ],
)
def test_a_reference_names_an_image_by_digest_or_tag(reference: str, kept: bool) -> None:
    plan = decide_images([stored("a", "1")], [reference], {digest("a"): OLD}, NOW)
    assert deleted(plan) == (set() if kept else {digest("a")})
    assert is_used(stored("a", "1"), [reference]) is kept, "what came into use after the plan was made"


def test_an_images_cache_goes_with_it_and_the_newest_cache_stays() -> None:
    everything = [
        stored("a", "one"),
        stored("b", "cache-one"),
        stored("c", "two"),
        stored("d", "cache-two"),
        stored("e", "cache"),
        stored("f", "cache-lost"),
        stored("0", "one", repository="shop/base"),
    ]
    seen = {it.digest: OLD for it in everything}
    plan = decide_images(everything, [f"r/shop/app:one@{digest('a')}"], seen, NOW)
    assert deleted(plan) == {digest("c"), digest("d"), digest("f"), digest("0")}


def test_a_digest_stays_with_any_of_its_tags() -> None:
    plan = decide_images([stored("a", "1", "2", "cache")], [], {digest("a"): OLD}, NOW)
    assert deleted(plan) == set()
