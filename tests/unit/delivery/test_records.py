"""Records and tombstones: kept apart, kept whole, and never somebody else's."""

from datetime import UTC, datetime

import pytest

from deploytag.delivery.asking import PAGE
from deploytag.delivery.cluster import Cluster
from deploytag.delivery.record import Attempt, BuildLog, Deployed, Outcome, Record, Tombstone
from deploytag.delivery.records import Records
from deploytag.delivery.run import Action
from deploytag.errors import BusyError, DeployTagError, OwnershipError, UnreachableError
from deploytag.identity import Identity, identify
from tests.unit.delivery.fake_config_maps import ConfigMaps

IDENTITY = identify("shop", "feature/test")
NAME = f"{IDENTITY.namespace}.record"
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


@pytest.fixture
def config_maps() -> ConfigMaps:
    return ConfigMaps()


@pytest.fixture
def reported() -> list[str]:
    return []


@pytest.fixture
def records(config_maps: ConfigMaps, reported: list[str]) -> Records:
    return Records(Cluster(config_maps), reported.append)


def record(identity: Identity = IDENTITY, **more: object) -> Record:
    return Record.model_validate(
        {
            "project": identity.project,
            "ref": identity.ref,
            "stack": identity.stack,
            "namespace": identity.namespace,
            "pushed": NOON,
            **more,
        }
    )


def tombstone(identity: Identity = IDENTITY, destroyed: datetime = NOON) -> Tombstone:
    return Tombstone(project=identity.project, ref=identity.ref, tip="a" * 40, destroyed=destroyed, run="1" * 32)


def remember(records: Records, identity: Identity) -> None:
    records.update(identity, lambda _: record(identity))


def test_a_record_is_kept_whole(records: Records, config_maps: ConfigMaps) -> None:
    full = record(
        environment_class="feature",
        deployed=Deployed(revision="a" * 40, fingerprint="f", url="http://x", images=("i@sha256:1",), verified=NOON),
        attempt=Attempt(
            run="1" * 32, action=Action.DEPLOY, revision=None, started=NOON, outcome=Outcome.FAILED, cause="why"
        ),
        asleep=True,
        keep_until=NOON,
    )
    assert records.get(IDENTITY) is None
    records.update(IDENTITY, lambda _: record())
    records.update(IDENTITY, lambda _: full)
    assert records.get(IDENTITY) == full
    assert records.all("shop") == [full]
    metadata = config_maps.stored[NAME]["metadata"]
    assert metadata["labels"] == {
        "app.kubernetes.io/managed-by": "deploytag",
        "deploytag.dev/project": "shop",
        "deploytag.dev/stack": "feature-test",
        "deploytag.dev/kind": "record",
    }
    assert metadata["annotations"] == {"deploytag.dev/project": "shop", "deploytag.dev/ref": "feature/test"}
    records.delete(IDENTITY)
    records.delete(IDENTITY)
    assert (records.get(IDENTITY), records.all("shop")) == (None, [])


def test_a_build_log_is_kept_beside_the_record_and_goes_with_it(records: Records) -> None:
    first, second = (
        BuildLog(project="shop", ref="feature/test", revision=letter * 40, written=NOON, text="app #1")
        for letter in "ab"
    )
    assert records.build_log(IDENTITY) is None
    records.update(IDENTITY, lambda _: record())
    records.keep_build_log(IDENTITY, first)
    records.keep_build_log(IDENTITY, second)
    assert records.build_log(IDENTITY) == second
    assert (records.get(IDENTITY), records.all("shop")) == (record(), [record()])
    records.delete(IDENTITY)
    assert records.build_log(IDENTITY) is None


def test_a_tombstone_is_no_record(records: Records) -> None:
    records.bury(IDENTITY, tombstone())
    assert (records.get(IDENTITY), records.all("shop")) == (None, [])
    records.update(IDENTITY, lambda _: record())
    assert records.tombstone(IDENTITY) == tombstone()
    assert records.tombstones("shop") == [tombstone()]
    records.delete(IDENTITY)
    assert records.tombstone(IDENTITY) == tombstone()
    records.clear(IDENTITY)
    records.clear(IDENTITY)
    assert (records.tombstone(IDENTITY), records.tombstones("shop")) == (None, [])


def test_a_change_is_made_of_what_is_there(records: Records, config_maps: ConfigMaps) -> None:
    records.update(IDENTITY, lambda _: record())
    config_maps.interferences = 2
    seen: list[Record | None] = []

    def keep(found: Record | None) -> Record:
        seen.append(found)
        return record(keep_until=NOON)

    assert records.update(IDENTITY, keep) == record(keep_until=NOON)
    assert seen == [record()] * 3
    assert records.get(IDENTITY) == record(keep_until=NOON)


def test_what_is_not_there_is_not_amended(records: Records, config_maps: ConfigMaps) -> None:
    def keep(found: Record) -> Record:
        return found.model_copy(update={"keep_until": NOON})

    assert records.amend(IDENTITY, keep) is None
    assert records.get(IDENTITY) is None
    records.update(IDENTITY, lambda _: record())
    assert records.amend(IDENTITY, keep) == records.get(IDENTITY) == record(keep_until=NOON)
    before = config_maps.version
    assert records.amend(IDENTITY, keep) == record(keep_until=NOON)
    assert config_maps.version == before, "what changes nothing is not written"


def test_who_is_never_fast_enough_is_told(records: Records, config_maps: ConfigMaps) -> None:
    config_maps.interferences = 1000
    with pytest.raises(BusyError, match="the record of feature/test was not written, because others kept writing"):
        records.update(IDENTITY, lambda _: record())


@pytest.mark.parametrize("forgets_pages", [False, True])
def test_hundreds_are_listed_in_pages(records: Records, config_maps: ConfigMaps, forgets_pages: bool) -> None:
    identities = [identify("shop", f"feature/n{number}") for number in range(2 * PAGE + 1)]
    for identity in identities:
        remember(records, identity)
    config_maps.forgets_pages = forgets_pages
    assert {one.ref for one in records.all("shop")} == {identity.ref for identity in identities}
    assert config_maps.lists == 3


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (None, "it has no key record"),
        ({"other": "{}"}, "it has no key record"),
        ({"record": "no JSON"}, "Invalid JSON"),
        ({"record": "{}"}, "pushed: Field required"),
    ],
)
def test_what_cannot_be_read_is_reported_and_left_out(
    records: Records, config_maps: ConfigMaps, reported: list[str], data: dict[str, str] | None, why: str
) -> None:
    other = identify("shop", "bug/x")
    records.update(other, lambda _: record(other))
    records.update(IDENTITY, lambda _: record())
    config_maps.stored[NAME]["data"] = data
    assert records.all("shop") == [record(other)]
    assert records.get(IDENTITY) is None
    assert len(reported) == 2
    assert all(NAME in one and why in one for one in reported)
    records.update(IDENTITY, lambda _: record())
    assert records.get(IDENTITY) == record()


@pytest.mark.parametrize("annotations", [None, {"deploytag.dev/project": "shop", "deploytag.dev/ref": "feature/other"}])
def test_what_is_somebody_elses_is_left_alone(
    records: Records, config_maps: ConfigMaps, annotations: dict[str, str] | None
) -> None:
    records.update(IDENTITY, lambda _: record())
    config_maps.stored[NAME]["metadata"]["annotations"] = annotations
    version = config_maps.version
    theirs = pytest.raises(OwnershipError, match=f"{NAME} in deploytag-system is not the record of feature/test")
    with theirs:
        records.get(IDENTITY)
    with theirs:
        records.update(IDENTITY, lambda _: record())
    with theirs:
        records.delete(IDENTITY)
    assert (config_maps.version, list(config_maps.stored)) == (version, [NAME])


def test_the_record_of_another_branch_is_not_written(records: Records, config_maps: ConfigMaps) -> None:
    with pytest.raises(OwnershipError, match="nothing was written"):
        records.update(IDENTITY, lambda _: record(identify("shop", "feature/other")))
    assert config_maps.stored == {}


def test_projects_whose_labels_are_cut_to_the_same_are_told_apart(records: Records) -> None:
    one, other = (identify("p" * 70 + end, "feature/test") for end in ("a", "b"))
    records.update(one, lambda _: record(one))
    records.update(other, lambda _: record(other))
    assert records.all(one.project) == [record(one)]


@pytest.mark.parametrize(
    ("status", "kind", "said"),
    [
        (401, UnreachableError, "does not know the kubeconfig's user"),
        (403, UnreachableError, "may not get configmaps in the namespace deploytag-system"),
        (503, UnreachableError, "https://cluster.test:6443 answered 503"),
    ],
)
def test_a_refusal_is_a_sentence(
    records: Records, config_maps: ConfigMaps, status: int, kind: type[DeployTagError], said: str
) -> None:
    config_maps.refuse = status
    with pytest.raises(kind, match=said):
        records.get(IDENTITY)
    with pytest.raises(kind):
        records.all("shop")


def test_a_missing_system_namespace_is_a_sentence(records: Records, config_maps: ConfigMaps) -> None:
    config_maps.missing_namespace = True
    with pytest.raises(OwnershipError, match="kubectl create namespace deploytag-system"):
        records.update(IDENTITY, lambda _: record())
