"""Collecting for real: orphans of every kind, one that cannot go, and nothing of a branch that exists.

In projects of their own, because a collection takes whatever its project has.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploytag.delivery.removal import gc_memory
from deploytag.delivery.removal.gc import decide
from deploytag.delivery.removal.wiring import facts
from deploytag.delivery.report import Ending
from deploytag.delivery.world import World
from deploytag.identity import Identity, identify
from tests.e2e.delivery.seeding import Seeds, exists, git, open_world, remote_of, repository
from tests.e2e.program.checkout import sandbox_environ
from tests.e2e.rights import deployed_by_the_wrapper
from tests.schemas import fits

pytestmark = pytest.mark.e2e

EACH = int(os.environ.get("DEPLOYTAG_ORPHANS", "3"))
"""Orphans of each kind; the soak has 20."""

SERVER = "https://172.30.0.1:6443"
CLASS = {"pattern": "feature/*", "secrets": [], "database": False, "migrations": False}
POLICY = {"cluster": {"server": SERVER}, "classes": {"feature": CLASS}}
KEPT = "feature/kept"


@pytest.fixture
def project(request: pytest.FixtureRequest) -> str:
    """A project of this test alone."""
    return "gctest" + "".join(filter(str.isalnum, request.node.name.removeprefix("test_")))[:12]


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
    """Orphans of every kind, and one environment whose branch exists."""
    seeds, made = Seeds(world), [identify(project, KEPT)]
    try:
        for number in range(EACH):
            for kind in ("ns", "db", "role", "lease", "state"):
                identity = identify(project, f"feature/{kind}{number}")
                made.append(identity)
                match kind:
                    case "ns":
                        seeds.namespace(identity, finalizer="example.com/held" if number == 0 else None)
                    case "db":
                        seeds.ledger(identity)
                        seeds.database(identity)
                    case "role":
                        seeds.ledger(identity)
                        seeds.role(identity)
                    case "lease":
                        seeds.lease(identity)
                    case "state":
                        seeds.state(identity)
        seeds.namespace(made[0])
        seeds.state(made[0])
        yield made[1:]
    finally:
        for identity in made:
            seeds.clear(identity)
        subprocess.run(
            ["kubectl", "delete", "configmap", "-n", "deploytag-system", gc_memory.name(project), "--ignore-not-found"],
            check=True,
        )


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


def test_orphans_go_and_the_one_that_cannot_is_named(world: World, orphans: list[Identity], project: str) -> None:
    kept = exists(identify(project, KEPT), world)
    assert kept
    dry = deploytag(world, "gc", "--json")
    assert dry.returncode == 0, dry.stderr
    assert all(exists(identity, world) for identity in orphans)

    real = deploytag(world, "gc", "--json", "--yes")
    assert real.returncode == 13, real.stderr
    planned, acted = json.loads(dry.stdout), json.loads(real.stdout)
    fits("gc", planned)
    fits("gc", acted)
    assert (planned["outcome"], acted["outcome"], acted["kind"]) == (None, "failed", "LeftoverError")
    assert [line for line in acted["left"] if "destroy feature/ns0: " in line] == acted["left"]
    assert {entry["ref"] for entry in acted["entries"]} == {identity.ref for identity in orphans}
    failed = [entry for entry in acted["entries"] if entry["outcome"] != "done"]
    assert [(entry["ref"], entry["outcome"]) for entry in failed] == [("feature/ns0", "failed")], real.stderr
    assert "example.com/held" in failed[0]["why"]
    for document in (planned, acted):
        for key in Ending.model_fields:
            del document[key]
        for entry in document["entries"]:
            del entry["outcome"], entry["why"]
    assert planned == acted

    left = {identity.ref for identity in orphans if exists(identity, world)}
    assert left == {"feature/ns0"}
    assert exists(identify(project, KEPT), world) == kept

    Seeds(world).release_held(identify(project, "feature/ns0"))
    again = deploytag(world, "gc", "--yes")
    assert again.returncode == 0, again.stderr
    assert not exists(identify(project, "feature/ns0"), world)


def test_an_empty_or_silent_remote_deletes_nothing(world: World, orphans: list[Identity], tmp_path: Path) -> None:
    bare, policy = tmp_path / "remote.git", tmp_path / "policy.yaml"
    policy.write_text(json.dumps(POLICY))
    before = [exists(identity, world) for identity in orphans]
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
    assert [exists(identity, world) for identity in orphans] == before


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
