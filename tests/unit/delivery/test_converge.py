"""Which failures of `pulumi up` are tried once more."""

import pytest

from deploytag.delivery.converge import lost_a_push

RACE = """failed to solve: failed to push registry.test/shop/app:866f: errors:
unknown: provided digest did not match uploaded content
unknown: blob unknown to registry - sha256:70c1"""


@pytest.mark.parametrize(
    ("complaint", "again"),
    [
        (RACE, True),
        ("failed to solve: failed to push registry.test/shop/app:866f: 403 Forbidden", False),
        ('failed to solve: process "/bin/sh -c make" did not complete successfully: exit code: 2', False),
        ("the role exists", False),
        ("", False),
    ],
)
def test_only_a_lost_push_is_tried_again(complaint: str, again: bool) -> None:
    assert lost_a_push(complaint) is again
