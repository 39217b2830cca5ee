"""Every kind of class, for real."""

from typing import Any

import httpx
import pytest

from tests.e2e.names import own
from tests.e2e.program.checkout import Checkout, page_in_the_end

pytestmark = [pytest.mark.e2e, pytest.mark.sampled(1)]

NO_DATABASE = {"database": False, "migrations": False, "database_key": None}


@pytest.mark.parametrize(
    ("change", "variables", "migration"),
    [
        pytest.param(NO_DATABASE, {"API_TOKEN", "REDIS_URL"}, False, id="no database"),
        pytest.param({"migrations": False}, {"API_TOKEN", "DATABASE_URL", "REDIS_URL"}, False, id="no migrations"),
        pytest.param({"secrets": []}, {"DATABASE_URL", "REDIS_URL"}, True, id="no secret"),
        pytest.param({**NO_DATABASE, "secrets": []}, {"REDIS_URL"}, False, id="neither"),
    ],
)
def test_a_class_has_what_its_policy_says(
    repository: Checkout, request: pytest.FixtureRequest, change: dict[str, Any], variables: set[str], migration: bool
) -> None:
    repository.policy(**change)
    identity = repository.stack(own(f"feature/{request.node.callspec.id.replace(' ', '')}"))
    done = repository.up(identity)
    assert done.ok, done.output
    outputs = repository.outputs(identity)
    shown = page_in_the_end(outputs["url"])
    assert variables <= set(shown["variables"])
    assert ("DATABASE_URL" in shown["variables"]) == ("DATABASE_URL" in variables)
    assert ("API_TOKEN" in shown["variables"]) == ("API_TOKEN" in variables)
    assert bool(shown["migration"]) == migration
    assert bool(outputs.get("database")) == ("DATABASE_URL" in variables)
    assert httpx.get(f"{outputs['url']}/healthz", timeout=10).status_code == 200
    assert repository.changes(identity) == set()


def test_what_is_protected_is_not_destroyed_until_the_policy_says_so(repository: Checkout) -> None:
    repository.policy(protected=True, ttl=None)
    identity = repository.stack(own("feature/protected"))
    done = repository.up(identity)
    assert done.ok, done.output
    refused = repository.run("pulumi", "destroy", "--yes", "--skip-preview", "--stack", identity.stack)
    assert not refused.ok
    assert "protected" in refused.output
    url = repository.outputs(identity)["url"]
    assert page_in_the_end(url)["ref"] == identity.ref
    repository.policy(protected=False)
    assert repository.up(identity).ok
    repository.must("pulumi", "destroy", "--yes", "--skip-preview", "--stack", identity.stack)
