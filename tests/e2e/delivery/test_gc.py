"""Collecting for real: orphans of every kind, one that cannot go, and nothing of a branch that exists.

In projects of their own, because a collection takes whatever its project has.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deploytag.delivery.removal import gc_memory
from deploytag.delivery.removal.collector import facts
from deploytag.delivery.removal.gc import decide
from deploytag.delivery.removal.gc_memory import GcMemory
from deploytag.delivery.report import Ending
from deploytag.delivery.world import World
from deploytag.identity import Identity, identify
from tests.e2e.delivery.everything import Everything, exists
from tests.e2e.delivery.images import push, stored
from tests.e2e.delivery.seeding import DEAD, Seeds, git, open_world, remote_of, repository
from tests.e2e.names import own
from tests.e2e.program.checkout import sandbox_environ
from tests.e2e.rights import deployed_by_the_wrapper
from tests.schemas import fits

pytestmark = pytest.mark.e2e

EACH = int(os.environ.get("DEPLOYTAG_ORPHANS", "2"))
"""Orphans of each kind, and images; the soak has 20."""
KINDS = ("ns", "db", "role", "volume", "state", "backup", "record", "lease", "tombstone")
HELD = "example.com/held"
FAIL = {
    "feature/ns0": HELD,
    "feature/role0": "some objects depend on it",
    "feature/volume0": "its finalizers say who holds it",
    "feature/db0": "cannot drop a template database",
    "feature/state0": "is locked by ada on elsewhere",
    "feature/record0": "it came back while everything else was removed",
    "feature/tombstone0": "its finalizers say who holds it",
}
"""Orphans that cannot go, and what the collection says of why."""

SERVER = "https://172.30.0.1:6443"
CLASS = {"pattern": "feature/*", "secrets": [], "database": False, "migrations": False}
POLICY = {"cluster": {"server": SERVER}, "classes": {"feature": CLASS}}
KEPT = "feature/kept"


@pytest.fixture
def project(request: pytest.FixtureRequest) -> str:
    """A project of this test alone."""
    return own("gctest" + "".join(filter(str.isalnum, request.node.name.removeprefix("test_")))[:12])


@pytest.fixture
def world(tmp_path: Path, project: str) -> Iterator[World]:
    checkout = repository(tmp_path, POLICY)
    (checkout / "Pulumi.yaml").write_text(
        json.dumps({"name": project, "runtime": "python", "config": {"registry": "172.30.0.1:5000"}})
    )
    remote_of(checkout, tmp_path / "remote.git", KEPT)
    with deployed_by_the_wrapper(project):
        yield open_world(project, checkout)


@pytest.fixture
def orphans(world: World, project: str) -> Iterator[list[Identity]]:
    """Orphans of every kind, of which some cannot go, and one environment whose branch exists."""
    seeds, kept = Seeds(world), identify(project, KEPT)
    made = [identify(project, f"feature/{kind}{number}") for number in range(EACH) for kind in KINDS]
    try:
        for identity in made:
            seed(seeds, identity)
        seeds.namespace(kept)
        seeds.state(kept)
        yield made
    finally:
        for identity in (*made, kept):
            seeds.clear(identity)
        subprocess.run(
            ["kubectl", "delete", "configmap", "-n", "deploytag-system", gc_memory.name(project), "--ignore-not-found"],
            check=True,
        )


def seed(seeds: Seeds, identity: Identity) -> None:
    finalizer = HELD if identity.ref in FAIL else None
    match identity.ref.removeprefix("feature/").rstrip("0123456789"):
        case "ns":
            seeds.namespace(identity, finalizer=finalizer)
        case "db":
            seeds.ledger(identity)
            seeds.database(identity)
            if finalizer:
                seeds.template(identity)
        case "role":
            seeds.ledger(identity)
            if identity.ref in FAIL:
                seeds.database(identity, seeds.foreign_database(identity))
            else:
                seeds.role(identity)
        case "volume":
            seeds.volume(identity, finalizer=finalizer)
        case "state":
            seeds.state(identity)
            if finalizer:
                seeds.lock(identity)
        case "backup":
            seeds.removed_stack(identity)
        case "record":
            seeds.record(identity)
        case "lease":
            seeds.lease(identity)
        case "tombstone":
            seeds.tombstone(identity)
    if finalizer and identity.ref in ("feature/record0", "feature/tombstone0"):
        seeds.hold_entries(identity, finalizer)


@pytest.fixture
def images(world: World, project: str) -> list[str]:
    """Images that nothing has referred to for long."""
    digests = [push(project, f"unused{number}") for number in range(EACH)]
    long_ago = datetime.now(UTC) - timedelta(days=2)
    memory = GcMemory(refs=2, unreferenced=dict.fromkeys(digests, long_ago))
    gc_memory.save(Seeds(world).cluster, project, memory)
    return digests


def left_of(orphans: list[Identity], world: World) -> set[str]:
    """The refs of which anything exists; a tombstone is, unless the collection itself has left it."""
    now = Everything.now(world.environ)
    buried = {it.ref for it in world.records.tombstones(world.project) if it.run == DEAD}
    return {it.ref for it in orphans if now.of(it)} | buried


def deploytag(world: World, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["deploytag", *arguments],
        cwd=world.repository,
        env=sandbox_environ() | environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )


def test_orphans_go_and_those_that_cannot_are_named(
    world: World, orphans: list[Identity], images: list[str], project: str
) -> None:
    everyone = {identity.ref for identity in orphans}
    kept = exists(identify(project, KEPT), world)
    assert kept
    dry = deploytag(world, "gc", "--json")
    assert dry.returncode == 0, dry.stderr
    assert left_of(orphans, world) == everyone
    assert all(stored(project, digest) for digest in images)

    real = deploytag(world, "gc", "--json", "--yes")
    assert real.returncode == 13, real.stderr
    planned, acted = json.loads(dry.stdout), json.loads(real.stdout)
    fits("gc", planned)
    fits("gc", acted)
    assert (planned["outcome"], acted["outcome"], acted["kind"]) == (None, "failed", "LeftoverError")
    assert {entry["ref"] for entry in acted["entries"]} == everyone
    assert {image["digest"] for image in acted["images"]} == set(images)
    failed = {entry["ref"]: entry for entry in acted["entries"] if entry["outcome"] != "done"}
    assert {ref: entry["outcome"] for ref, entry in failed.items()} == dict.fromkeys(FAIL, "failed"), real.stderr
    assert len(acted["left"]) == len(FAIL)
    for ref, why in FAIL.items():
        assert why in failed[ref]["why"]
        assert why in real.stderr
        assert any(f" {ref}: " in line for line in acted["left"])
    for document in (planned, acted):
        for key in Ending.model_fields:
            del document[key]
        for entry in (*document["entries"], *document["images"]):
            del entry["outcome"], entry["why"]
    assert planned == acted

    assert left_of(orphans, world) == set(FAIL)
    assert exists(identify(project, KEPT), world) == kept
    assert not any(stored(project, digest) for digest in images)

    for ref in FAIL:
        Seeds(world).release_held(identify(project, ref))
    Seeds(world).drop_foreign_database(identify(project, "feature/role0"))
    again = deploytag(world, "gc", "--yes")
    assert again.returncode == 0, again.stderr
    assert left_of(orphans, world) == set()


def test_an_empty_or_silent_remote_deletes_nothing(world: World, orphans: list[Identity], tmp_path: Path) -> None:
    bare, policy = tmp_path / "remote.git", tmp_path / "policy.yaml"
    policy.write_text(json.dumps(POLICY))
    everyone = {identity.ref for identity in orphans}
    for ref in git(bare, "for-each-ref", "--format=%(refname)").split():
        git(bare, "update-ref", "-d", ref)
    assert deploytag(world, "gc", "--yes").returncode == 3, "nor is there a policy"
    empty = deploytag(world, "gc", "--yes", "--json", DEPLOYTAG_POLICY=str(policy))
    assert empty.returncode == 14, empty.stderr
    assert json.loads(empty.stdout)["entries"] == []
    bare.rename(tmp_path / "elsewhere.git")
    assert deploytag(world, "gc", "--yes").returncode == 8
    silent = deploytag(world, "gc", "--yes", "--json", DEPLOYTAG_POLICY=str(policy))
    assert silent.returncode == 8, silent.stderr
    assert json.loads(silent.stdout)["entries"] == []
    assert left_of(orphans, world) == everyone


def test_a_registry_that_is_silent_keeps_nothing_but_images_from_its_turn(world: World, project: str) -> None:
    gone = identify(project, "feature/gone")
    Seeds(world).state(gone)
    try:
        silent = deploytag(world, "gc", "--yes", "--json", "--registry", "172.30.0.1:9")
        left = exists(gone, world)
    finally:
        Seeds(world).clear(gone)
        subprocess.run(
            ["kubectl", "delete", "configmap", "-n", "deploytag-system", gc_memory.name(project), "--ignore-not-found"],
            check=True,
        )
    document = json.loads(silent.stdout)
    fits("gc", document)
    assert (silent.returncode, document["outcome"], document["kind"]) == (8, "failed", "UnreachableError")
    assert [(entry["ref"], entry["outcome"]) for entry in document["entries"]] == [(gone.ref, "done")]
    assert left == set()
    assert "172.30.0.1:9" in document["images_failure"]
    assert document["left"] == [f"images: {document['images_failure']}"]


def test_the_decision_is_made_from_one_look(world: World, orphans: list[Identity]) -> None:
    plan = decide(facts(world, gc_memory.GcMemory()))
    assert sorted(entry.ref for entry in plan.entries) == sorted(identity.ref for identity in orphans)
