"""Carrying out a plan: what fails keeps nothing else from its turn."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from deploytag.delivery.record import Record
from deploytag.delivery.removal.collect import ItemOutcome, act
from deploytag.delivery.removal.gc import Deed, Entry, GcPlan
from deploytag.delivery.removal.image_gc import ImageEntry
from deploytag.delivery.run import SkippedError
from deploytag.errors import DeployTagError, InterruptedRunError, LeftoverError

Still = Callable[[], str | None]


@dataclass
class Recorder:
    """An actor that remembers what it was asked to do."""

    errors: dict[str, Exception] = field(default_factory=dict)
    tips: dict[str, str] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)

    def tip(self, ref: str) -> str | None:
        return self.tips.get(ref)

    def record(self, ref: str) -> Record | None:
        return None

    def _do(self, name: str) -> None:
        if error := self.errors.get(name):
            raise error
        self.done.append(name)

    def destroy(self, ref: str, still: Still, tip: str | None) -> None:
        assert tip == self.tips.get(ref)
        self._do(ref)

    def sleep(self, ref: str, still: Still) -> None:
        self._do(ref)

    free_lease = forget_tombstone = sleep

    def delete_image(self, image: ImageEntry) -> None:
        self._do(image.digest)


PLAN = GcPlan(entries=tuple(Entry(Deed.DESTROY, ref, "gone", (), None) for ref in ("a", "b", "c")))
IMAGES = [ImageEntry("shop/app", digest, (), "") for digest in ("1", "2")]


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (LeftoverError("held"), ItemOutcome.FAILED),
        (DeployTagError("no"), ItemOutcome.FAILED),
        (RuntimeError("a defect"), ItemOutcome.FAILED),
        (SkippedError("busy"), ItemOutcome.SKIPPED),
    ],
)
@pytest.mark.parametrize("name", ["a", "b", "1"])
def test_what_fails_keeps_nothing_else_from_its_turn(name: str, error: Exception, outcome: ItemOutcome) -> None:
    actor = Recorder(errors={name: error})
    results = act(PLAN, IMAGES, actor, lambda _: None)
    order = ["a", "b", "c", "1", "2"]
    assert actor.done == [it for it in order if it != name]
    assert [result.outcome for result in results] == [outcome if it == name else ItemOutcome.DONE for it in order]
    assert str(error) in results[order.index(name)].why


def test_git_is_asked_again_right_before_each() -> None:
    actor = Recorder(tips={"b": "c0ffee"})
    results = act(PLAN, [], actor, lambda _: None)
    assert actor.done == ["a", "c"]
    assert (results[1].outcome, results[1].why) == (ItemOutcome.SKIPPED, "the branch is back on the remote")


def test_a_signal_between_two_of_them_ends_the_collection_too() -> None:
    """An environment that was gone before its run looked for signals again ends well."""
    actor = Recorder()

    def go_on() -> None:
        if actor.done:
            raise InterruptedRunError("stopped by SIGTERM")

    with pytest.raises(InterruptedRunError):
        act(PLAN, IMAGES, actor, lambda _: None, go_on)
    assert actor.done == ["a"]


def test_a_signal_ends_the_collection() -> None:
    actor = Recorder(errors={"b": InterruptedRunError("stopped")})
    with pytest.raises(InterruptedRunError):
        act(PLAN, IMAGES, actor, lambda _: None)
    assert actor.done == ["a"]
