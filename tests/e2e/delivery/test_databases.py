"""Who gets into an environment's database beside it."""

import base64
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from deploytag.delivery.cluster import Cluster
from deploytag.identity import Identity
from tests.e2e.delivery.pushing import Pushing, pushing
from tests.e2e.names import own
from tests.e2e.typed import core

pytestmark = pytest.mark.e2e


@pytest.fixture
def it(tmp_path: Path) -> Iterator[Pushing]:
    with pushing(tmp_path) as made:
        made.small()
        yield made


def database_url(cluster: Cluster, identity: Identity) -> str:
    found = core(cluster).list_namespaced_secret(identity.namespace).items
    (url,) = [it.data["DATABASE_URL"] for it in found if "DATABASE_URL" in (it.data or {})]
    return base64.b64decode(url).decode()


def test_who_came_before_the_database_was_closed_does_not_stay(it: Pushing, cluster: Cluster) -> None:
    """PostgreSQL opens a new database to everybody, and revoking that ends no session."""
    refs = (own("feature/host"), own("feature/intruder"))
    for ref in refs:
        it.push(ref)
        it.report("deploy", ref)
    host, intruder = (it.identity(ref) for ref in refs)
    mine = psycopg.connect(database_url(cluster, host), autocommit=True)
    with psycopg.connect(autocommit=True) as administrator:

        def say(statement: str) -> None:
            names = {"database": sql.Identifier(host.database), "role": sql.Identifier(intruder.role)}
            administrator.execute(sql.SQL(statement).format(**names))

        say("GRANT CONNECT ON DATABASE {database} TO {role}")
        within = psycopg.connect(database_url(cluster, intruder), dbname=host.database, autocommit=True)
        say("REVOKE CONNECT ON DATABASE {database} FROM {role}")
    within.execute("SELECT 1")
    it.checkout.edit("app/web.py", '"""The HTTP service."""', '"""The HTTP service, edited."""')
    it.push(refs[0], "an edit")
    it.report("deploy", refs[0])
    with pytest.raises(psycopg.OperationalError, match="terminating connection due to administrator command"):
        within.execute("SELECT 1")
    mine.execute("SELECT 1")
