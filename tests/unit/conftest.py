"""What the unit tests share: git repositories that exist for one test, and Hypothesis without chance."""

from pathlib import Path

import pytest
from hypothesis import settings

from tests.unit.checkout import Checkout

# The same examples on every machine: a failure here is a failure everywhere.
settings.register_profile("deploytag", derandomize=True, deadline=None, database=None)
settings.load_profile("deploytag")


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A repository on branch `main`, with nothing committed."""
    return Checkout.init(tmp_path / "checkout")
