"""Databases, roles, grants and extensions through the real engine, on the real server."""

import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tests.e2e.plugins.engine import Engine, eventually
from tests.e2e.plugins.plugin_set import offline_only

pytestmark = [pytest.mark.e2e, pytest.mark.sampled(4)]

CANARY = "canary-pg-71c2e0"
OTHER_CANARY = "canary-pg-other-8f2"


def psql(query: str, database: str = "", user: str = "", password: str = "") -> list[tuple[Any, ...]]:
    """Ask the server behind the plugin's back."""
    login = {"dbname": database or None, "user": user or None, "password": password or None}
    with psycopg.connect(make_conninfo("", **login), autocommit=True) as connection:
        cursor = connection.execute(query.encode())
        return cursor.fetchall() if cursor.description else []


def can_connect(database: str, role: str, password: str) -> bool:
    try:
        psql("SELECT 1", database, user=role, password=password)
    except psycopg.OperationalError:
        return False
    return True


def exists(name: str) -> tuple[bool, bool]:
    """Whether there is a database, and whether there is a role of that name."""
    return (
        bool(psql(f"SELECT 1 FROM pg_database WHERE datname = '{name}'")),
        bool(psql(f"SELECT 1 FROM pg_roles WHERE rolname = '{name}'")),
    )


def privileges(database: str) -> dict[str, str]:
    """What everyone, and what watchers may do with a database."""
    query = "SELECT concat_ws(' ', " + ", ".join(
        f"CASE WHEN has_database_privilege('{{role}}', '{database}', '{each}') THEN '{each}' END"
        for each in ("CONNECT", "CREATE", "TEMPORARY")
    )
    return {role: psql(query.format(role=role) + ")")[0][0] for role in ("public", "pg_monitor")}


@pytest.fixture
def name(unique: str) -> Iterator[str]:
    """A name for a database and a role, of which nothing is left at the end."""
    name = unique.replace("-", "_")
    yield name
    if exists(name)[1]:
        # Only a member of the owner may drop what it owns.
        psql(f'GRANT "{name}" TO CURRENT_USER')
    psql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    psql(f'DROP ROLE IF EXISTS "{name}"')


@pytest.fixture
def engine(name: str, engine: Engine) -> Engine:
    """The settings that an administrator without superuser rights needs. Destroyed before `name` looks what is left."""
    engine.config("postgresql:superuser", "false")
    return engine


def program(name: str, more: str = "") -> str:
    """An application's own database, closed to everyone but its owner and those who watch."""
    administrator = psql("SELECT current_user")[0][0]
    return f"""
import pulumi, pulumi_postgresql as postgresql
after = lambda *resources: pulumi.ResourceOptions(depends_on=[*resources])
role = postgresql.Role("role", name="{name}", login=True, skip_reassign_owned=True,
    password=pulumi.Config().get("password") or "{CANARY}")
member = postgresql.GrantRole("member", role="{administrator}", grant_role=role.name)
database = postgresql.Database("database", name="{name}", owner=role.name, opts=after(member))
closed = postgresql.Grant("closed", database=database.name, role="public", object_type="database", privileges=[])
enters = postgresql.Grant("enters", database=database.name, role="pg_monitor", object_type="database",
    privileges=["CONNECT", "TEMPORARY"], opts=after(closed))
looks = postgresql.Grant("looks", database=database.name, role="pg_monitor", object_type="schema", schema="public",
    privileges=["USAGE"], opts=after(enters))
pulumi.export("owner", database.owner)
pulumi.export("password", role.password)
{more}
"""


def test_the_life_of_an_applications_database(engine: Engine, name: str) -> None:
    extension = (
        'extension = postgresql.Extension("extension", name="citext", database=database.name, opts=after(looks))'
    )
    engine.program(program(name, extension + "\npulumi.export('version', extension.version)"))

    preview = engine.preview()
    assert preview.ok, preview.output
    assert preview.changes == {"create": 8}
    assert exists(name) == (False, False)

    created = engine.up()
    assert created.ok, created.output
    assert created.changes == {"created": 8}
    outputs = engine.outputs(show_secrets=True)
    assert outputs["owner"] == name
    assert psql("SELECT extversion FROM pg_extension WHERE extname = 'citext'", name) == [(outputs["version"],)]

    # The role reaches its own database, may create in it, and reaches no other; others do not reach this one.
    psql("CREATE TABLE things (id text)", name, user=name, password=CANARY)
    assert not can_connect("postgres", name, CANARY)
    assert privileges(name) == {"public": "", "pg_monitor": "CONNECT TEMPORARY"}
    assert psql("SELECT has_schema_privilege('pg_monitor', 'public', 'USAGE')", name) == [(True,)]

    # The password is a secret in outputs, in the state and on the screen.
    assert outputs["password"] == CANARY
    assert engine.outputs()["password"] == "[secret]"
    for text in (preview.output, created.output, engine.export()):
        assert CANARY not in text

    # Nothing to do; then a new password, which is an update.
    again = engine.up()
    assert again.changes == {"unchanged": 8}, again.output
    engine.must("config", "set", "--secret", "password", OTHER_CANARY)
    changed = engine.up()
    assert changed.changes == {"updated": 1, "unchanged": 7}, changed.output
    assert can_connect(name, name, OTHER_CANARY)
    assert not can_connect(name, name, CANARY)

    # Sessions do not keep a database from being dropped.
    with psycopg.connect(dbname=name, user=name, password=OTHER_CANARY) as session:
        destroyed = engine.destroy()
        assert destroyed.ok, destroyed.output
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")
    assert exists(name) == (False, False)
    for text in (changed.output, destroyed.output):
        assert OTHER_CANARY not in text


def test_a_database_that_is_there_already_is_left_alone(engine: Engine, name: str) -> None:
    psql(f'CREATE DATABASE "{name}" CONNECTION LIMIT 7')
    engine.program(f'import pulumi_postgresql as pg\npg.Database("database", name="{name}")\n')

    result = engine.up()

    assert not result.ok
    assert f'database "{name}" already exists' in result.output
    assert "database" not in engine.resources()
    assert psql(f"SELECT datconnlimit FROM pg_database WHERE datname = '{name}'") == [(7,)]


def test_what_was_changed_or_removed_behind_its_back_is_seen_and_repaired(engine: Engine, name: str) -> None:
    extension = 'postgresql.Extension("extension", name="citext", database=database.name, opts=after(looks))'
    engine.program(program(name, extension))
    created = engine.up()
    assert created.ok, created.output

    psql(f'ALTER DATABASE "{name}" CONNECTION LIMIT 33')
    psql(f'GRANT CONNECT ON DATABASE "{name}" TO PUBLIC')
    psql("DROP EXTENSION citext", name)
    refreshed = engine.refresh()
    assert refreshed.ok, refreshed.output
    assert "extension" not in engine.resources()

    repaired = engine.up()
    assert repaired.changes == {"created": 1, "updated": 2, "changes": 3}, repaired.output
    assert psql(f"SELECT datconnlimit FROM pg_database WHERE datname = '{name}'") == [(-1,)]
    assert privileges(name)["public"] == ""

    psql(f'DROP DATABASE "{name}"')
    psql(f'DROP ROLE "{name}"')
    assert engine.refresh().ok
    gone = {"role", "member", "database", "closed", "enters", "looks", "extension"}
    assert not gone & engine.resources().keys()


def test_changes_in_place_and_replacements(engine: Engine, name: str) -> None:
    basic = "import pulumi, pulumi_postgresql as pg\n"
    basic += f'role = pg.Role("role", name="{name}", login=True, skip_reassign_owned=True, {{role}})\n'
    basic += f'pg.Database("database", name="{name}", owner=role.name, {{database}})\n'
    engine.program(basic.format(role="", database=""))
    assert engine.up().ok
    before = psql(f"SELECT oid FROM pg_database WHERE datname = '{name}'")

    engine.program(basic.format(role="connection_limit=4, search_paths=['a', 'B c']", database="connection_limit=5"))
    assert engine.up().changes == {"updated": 2, "unchanged": 1}
    assert psql(f"SELECT rolconnlimit, rolconfig FROM pg_roles WHERE rolname = '{name}'") == [
        (4, ['search_path=a, "B c"'])
    ]
    assert psql(f"SELECT oid, datconnlimit FROM pg_database WHERE datname = '{name}'") == [(*before[0], 5)]
    assert engine.up().changes == {"unchanged": 3}

    # A collation is for good: another one is another database.
    engine.program(basic.format(role="", database="lc_collate='C', lc_ctype='C'"))
    assert engine.up().changes == {"replaced": 1, "updated": 1, "changes": 2}
    assert psql(f"SELECT datcollate, oid = {before[0][0]} FROM pg_database WHERE datname = '{name}'") == [("C", False)]


def test_what_is_unknown_in_a_preview_stays_unknown(engine: Engine, name: str) -> None:
    # The role's name is only known once another resource has been created.
    engine.program(f"""
import pulumi, pulumi_postgresql as pg
first = pg.Database("first", name="{name}")
role = pg.Role("role", name=first.encoding.apply(lambda encoding: f"{name}"), password=first.owner)
second = pg.Database("second", name=role.name.apply(lambda each: each + "_2"), owner=role.name)
pulumi.export("late", second.name)
""")

    preview = engine.preview()

    assert preview.ok, preview.output
    assert preview.changes == {"create": 4}
    assert exists(name) == (False, False)


def test_a_server_that_does_not_answer_is_an_error_in_time(engine: Engine, name: str) -> None:
    engine.program(f'import pulumi_postgresql as pg\npg.Database("database", name="{name}")\n')
    with socket.create_server(("127.0.0.1", 0)) as silent:
        # It accepts, and says nothing.
        port = silent.getsockname()[1]
        engine.environment.update(PGHOST="127.0.0.1", PGPORT=str(port), PGCONNECT_TIMEOUT="2", PGPASSWORD=CANARY)
        result = engine.up()

    assert not result.ok
    assert result.seconds < 30
    assert "127.0.0.1" in result.output
    assert CANARY not in result.output


@offline_only("postgresql")
def test_what_the_offline_plugin_does_not_support_it_refuses(engine: Engine, name: str) -> None:
    for resource, named in {
        f'Database("it", name="{name}", alter_object_ownership=True)': "alterObjectOwnership",
        f'Schema("it", name="{name}", database="postgres")': "postgresql:index/schema:Schema",
    }.items():
        engine.program(f"import pulumi_postgresql as pg\npg.{resource}\n")
        result = engine.preview()

        assert not result.ok
        assert named in result.output
        assert "official plugin" in result.output


@offline_only("postgresql")
def test_a_grant_that_postgresql_would_silently_not_make_is_an_error(engine: Engine, name: str) -> None:
    # The administrator neither owns the database nor belongs to its owner. The official plugin reports success.
    lines = program(name).splitlines()
    text = "\n".join(line for line in lines if not line.startswith("member =")).replace("after(member)", "None")
    engine.program(text)

    result = engine.up()

    assert not result.ok
    assert "no privileges could be revoked" in result.output
    assert CANARY not in result.output


@offline_only("postgresql")
def test_cancel_stops_a_statement_that_waits(engine: Engine, name: str) -> None:
    engine.program(program(name).split("closed =")[0])
    assert engine.up().ok
    engine.program(program(name))

    with psycopg.connect() as blocker, contextlib.ExitStack() as stack:
        # Not committed, so a second change of the same database's privileges has to wait.
        blocker.execute(f'GRANT TEMPORARY ON DATABASE "{name}" TO "{name}"'.encode())
        running = stack.enter_context(engine.start("up", "--yes", "--skip-preview"))
        eventually(
            lambda: psql(f"SELECT 1 FROM pg_stat_activity WHERE datname = '{name}' AND wait_event_type = 'Lock'")
        )
        running.interrupt()
        result = running.wait(20)

    assert not result.ok
    assert privileges(name)["public"] == "CONNECT TEMPORARY"
