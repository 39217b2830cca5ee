"""Branches beside each other: own URL, own data, the same images; one goes, the other stays."""

import base64
import subprocess

import httpx
import psycopg
import pytest

from tests.e2e.names import own
from tests.e2e.program.checkout import Checkout, page, page_in_the_end

pytestmark = pytest.mark.e2e


def test_two_branches_of_the_same_code(repository: Checkout) -> None:
    feature, bug = repository.stack(own("feature/beside")), repository.stack(own("bug/beside"))
    first = repository.up(feature)
    assert first.ok, first.output
    second = repository.up(bug)
    assert second.ok, second.output
    one, other = repository.outputs(feature), repository.outputs(bug)
    assert one["url"] != other["url"]
    assert (one["base_image"], one["app_image"]) == (other["base_image"], other["app_image"])
    shown = [page_in_the_end(it["url"])["ref"] for it in (one, other)]
    assert shown == [feature.ref, bug.ref]

    httpx.post(f"{one['url']}/notes", json={"text": "only here"}, timeout=10).raise_for_status()
    assert "only here" in httpx.get(f"{one['url']}/notes", timeout=10).text
    assert "only here" not in httpx.get(f"{other['url']}/notes", timeout=10).text

    # The role of one environment cannot even connect to the database of the other, nor to the administrator's.
    url = subprocess.run(
        ["kubectl", "get", "secret", "-n", feature.namespace, "-o", "jsonpath={.items[*].data.DATABASE_URL}"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    mine = base64.b64decode(url).decode()
    with psycopg.connect(mine) as connection:
        assert connection.execute("SELECT current_user").fetchone() == (feature.role,)
    for elsewhere in (bug.database, "postgres"):
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(mine, dbname=elsewhere)

    repository.must("pulumi", "destroy", "--yes", "--skip-preview", "--stack", feature.stack)
    assert page(other["url"])["ref"] == bug.ref
    again = repository.up(feature)
    assert again.ok, again.output
    made_again = repository.outputs(feature)["url"]
    page_in_the_end(made_again)
    assert "only here" not in httpx.get(f"{made_again}/notes", timeout=10).text
    assert page(other["url"])["ref"] == bug.ref
