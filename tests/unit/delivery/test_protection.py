"""What is refused in a protected environment: a table of plans."""

import pytest

from deploytag.delivery.engine import EngineResult
from deploytag.delivery.events import Step
from deploytag.delivery.protection import ENDS, KEPT, ending, refusal

OK = EngineResult(0)


def step(operation: str, type_: str, name: str = "shop-x") -> Step:
    return Step(operation, f"urn:pulumi:main::shop::{type_}::{name}", type_, "begun")


@pytest.mark.parametrize("type_", KEPT)
@pytest.mark.parametrize("operation", ["same", "create", "update", "read", "refresh", "import", *sorted(ENDS)])
def test_what_ends_is_refused_and_nothing_else(type_: str, operation: str) -> None:
    steps = [step("update", "kubernetes:helm.sh/v3:Release"), step(operation, type_), step(operation, type_)]
    assert ending(steps) == ((f"the {KEPT[type_]} shop-x",) if operation in ENDS else ())
    said = refusal("main", OK, steps)
    assert (said is not None) == (operation in ENDS)


def test_a_release_and_an_image_may_be_replaced() -> None:
    steps = [step("replace", "kubernetes:helm.sh/v3:Release"), step("replace", "docker-build:index:Image")]
    assert refusal("main", OK, steps) is None


def test_what_the_engine_refuses_itself_is_named() -> None:
    complaint = (
        'unable to replace resource "urn:pulumi:main::shop::a:b$postgresql:index/database:Database::shop-database"\n'
        "as it is currently marked for protection. To unprotect the resource, remove the `protect` flag"
    )
    said = refusal("main", EngineResult(255, errors=(complaint,)), [])
    assert said is not None
    assert "what its state protects (shop-database)" in said
    assert refusal("main", EngineResult(1, errors=("the program has a mistake",)), []) is None
