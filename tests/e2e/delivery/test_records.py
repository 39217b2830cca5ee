"""Records and tombstones on a real API server."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from deploytag.delivery import asking
from deploytag.delivery.cluster import Cluster
from deploytag.delivery.record import Record, Tombstone
from deploytag.delivery.records import Records
from deploytag.identity import Identity, identify
from deploytag.preflight.cluster import connect

pytestmark = pytest.mark.e2e

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def cluster() -> Cluster:
    """The sandbox's."""
    return Cluster(connect(os.environ["KUBECONFIG"])[0])


@pytest.fixture
def identities(cluster: Cluster) -> Iterator[list[Identity]]:
    """Environments of a project that no other test has."""
    project = f"p{uuid4().hex[:8]}"
    them = [identify(project, f"feature/n{number}") for number in range(5)]
    yield them
    for identity in them:
        Records(cluster).delete(identity)
        Records(cluster).clear(identity)


def record(identity: Identity) -> Record:
    return Record(
        project=identity.project, ref=identity.ref, stack=identity.stack, namespace=identity.namespace, pushed=NOW
    )


def remember(records: Records, identity: Identity) -> None:
    records.update(identity, lambda _: record(identity))


def test_records_are_kept_listed_changed_and_removed(
    cluster: Cluster, identities: list[Identity], monkeypatch: pytest.MonkeyPatch
) -> None:
    records, first = Records(cluster), identities[0]
    for identity in identities:
        remember(records, identity)
    monkeypatch.setattr(asking, "PAGE", 2)
    assert sorted(one.ref for one in records.all(first.project)) == [identity.ref for identity in identities]
    asleep = record(first).model_copy(update={"asleep": True})
    records.update(first, lambda found: asleep if found == record(first) else record(first))
    assert records.get(first) == asleep
    records.delete(first)
    assert records.get(first) is None
    assert len(records.all(first.project)) == 4


def test_tombstones_are_kept_and_cleared(cluster: Cluster, identities: list[Identity]) -> None:
    records, first = Records(cluster), identities[0]
    tombstone = Tombstone(project=first.project, ref=first.ref, tip=None, destroyed=NOW, run="1" * 32)
    records.bury(first, tombstone)
    assert records.tombstone(first) == tombstone
    assert records.tombstones(first.project) == [tombstone]
    assert records.get(first) is None
    records.clear(first)
    assert records.tombstone(first) is None
