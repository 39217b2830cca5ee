"""The registry of the sandbox: what is pushed by several at the same time is there for each of them, at any moment."""

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.e2e.delivery.images import push, stored

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("running")]

PUSHERS = 4
PUSHES = 40


def test_an_image_is_there_while_others_push_the_same() -> None:
    # docker-registry 2.8 empties the files that name an image, or a layer, before it writes them again.
    project = f"at-once-{uuid.uuid4().hex[:8]}"
    digest = push(project, "cache")

    def push_again(_: int) -> set[str]:
        return {push(project, "cache") for _ in range(PUSHES)}

    with ThreadPoolExecutor(PUSHERS) as pool:
        pushed = [pool.submit(push_again, number) for number in range(PUSHERS)]
        looks = []
        while not all(it.done() for it in pushed):
            looks.append(stored(project, digest) and stored(project, "cache"))
        assert all(looks)
        assert [it.result() for it in pushed] == [{digest}] * PUSHERS
