"""A million adversarial pairs of project and ref."""

import pytest

from tests.unit.test_identity import assert_share_nothing

pytestmark = pytest.mark.soak


def test_a_million_adversarial_pairs_share_nothing() -> None:
    assert_share_nothing(1_000_000)
