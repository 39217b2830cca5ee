"""What a destroyed environment's tombstone keeps from coming back, and what not."""

import io
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from deploytag.delivery.cluster import Cluster
from deploytag.delivery.decision import Facts, outdated
from deploytag.delivery.inventory.look import Sources
from deploytag.delivery.progress import Progress
from deploytag.delivery.removal.remove import remove
from deploytag.remote import Remote
from deploytag.settings import Policy
from tests.unit.checkout import Checkout
from tests.unit.delivery.fake_config_maps import Bare
from tests.unit.delivery.test_hold import IDENTITY, FakeLease, FakeWorld

REF = IDENTITY.ref
POLICY = Policy.model_validate(
    {
        "cluster": {"server": "https://cluster.test:6443"},
        "classes": {"feature": {"pattern": "feature/*", "secrets": [], "database": False, "migrations": False}},
    }
)


class NoStates:
    """A backend without stacks."""

    def stacks(self, project: str) -> list[str]:
        return []

    def removed(self, project: str) -> list[str]:
        return []

    def copies(self, project: str, stack: str) -> list[dict[str, Any]]:
        return []

    def checkpoint(self, project: str, stack: str) -> None:
        return None


@dataclass
class Gone(FakeWorld):
    """A project's world, in which nothing is left of the environment. The remote is a real one."""

    remote: Any = None
    policy: Policy = POLICY
    project: str = "shop"
    progress: Any = field(default_factory=lambda: Progress(io.StringIO()))

    @property
    def sources(self) -> Sources:
        return Sources(Cluster(Bare()), NoStates(), None, self.records)


@dataclass
class Branch:
    """A branch of a real remote."""

    checkout: Checkout
    remote: Remote
    commit: str

    def push(self, commit: str) -> None:
        self.checkout.git("push", "-q", "--force", "origin", f"{commit}:refs/heads/{REF}")

    def delete(self) -> None:
        self.checkout.git("push", "-q", "origin", f":refs/heads/{REF}")


@pytest.fixture
def branch(checkout: Checkout, tmp_path: Path) -> Branch:
    checkout.git("init", "-q", "--bare", "-b", "main", str(tmp_path / "remote.git"))
    checkout.git("remote", "add", "origin", str(tmp_path / "remote.git"))
    made = Branch(checkout, Remote(checkout.path, "origin"), checkout.commit())
    made.push(made.commit)
    return made


def late(world: Any, commit: str) -> str | None:
    """Why a deployment of the commit that the branch is at now would be skipped."""
    stone = world.records.tombstone(IDENTITY)
    assert stone is not None
    skip = outdated(Facts(REF, commit, world.remote.tip(REF), datetime.now(UTC), tombstone=stone))
    return skip.why if skip else None


def test_a_branch_that_is_restored_as_its_environment_begins_to_go_comes_back(branch: Branch) -> None:
    """At the same commit, and after the last question whether it is gone: its push must not be taken for a late one."""
    branch.delete()
    world: Any = Gone(FakeLease(), remote=branch.remote)

    def still() -> str | None:
        assert branch.remote.tip(REF) is None
        branch.push(branch.commit)
        return None

    remove(world, REF, still=still, tip=lambda: None)
    assert late(world, branch.commit) is None


def test_a_branch_that_is_pushed_as_its_idle_environment_begins_to_go_comes_back(branch: Branch) -> None:
    world: Any = Gone(FakeLease(), remote=branch.remote)
    newer = branch.checkout.commit("newer")

    def still() -> str | None:
        assert branch.remote.tip(REF) == branch.commit
        branch.push(newer)
        return None

    remove(world, REF, still=still, tip=lambda: branch.commit)
    assert late(world, newer) is None
    branch.push(branch.commit)
    assert "was destroyed at" in str(late(world, branch.commit))


def test_what_a_person_destroys_stays_so_until_the_next_push(branch: Branch) -> None:
    world: Any = Gone(FakeLease(), remote=branch.remote)
    remove(world, REF)
    assert "was destroyed at" in str(late(world, branch.commit))
    newer = branch.checkout.commit("newer")
    branch.push(newer)
    assert late(world, newer) is None
