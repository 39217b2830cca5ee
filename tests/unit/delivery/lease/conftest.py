"""What the tests of leases share: a world of its own for each, with an API server in it."""

from collections.abc import Iterator

import pytest

from tests.unit.delivery.lease.fake_leases import LeaseServer
from tests.unit.delivery.lease.simulation import World


@pytest.fixture
def world() -> Iterator[World]:
    it = World()
    yield it
    it.close()


@pytest.fixture
def server(world: World) -> LeaseServer:
    return LeaseServer(world)
