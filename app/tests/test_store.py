"""The notes and the migrations that make their table."""

from datetime import UTC, datetime, timedelta

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from app import migrate
from app.store import metadata, notes_table


def test_latest_notes_come_first(notes):
    numbers = [notes.add(text, source="web") for text in ("one", "two", "three")]
    assert [note["id"] for note in notes.latest(limit=2)] == [numbers[2], numbers[1]]


def test_only_old_notes_are_deleted(notes):
    notes.add("new", source="web")
    with notes.engine.begin() as connection:
        old = datetime.now(UTC) - timedelta(days=31)
        connection.execute(notes_table.insert().values(text="old", created_at=old))
    assert notes.delete_older_than(days=30) == 1
    assert [note["text"] for note in notes.latest()] == ["new"]


def test_migrations_make_the_tables_that_the_code_expects(notes):
    with notes.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_migrating_again_changes_nothing(notes, url):
    notes.add("kept", source="web")
    migrate.upgrade(url)
    assert [note["text"] for note in notes.latest()] == ["kept"]


def test_a_note_from_before_the_second_migration_came_from_the_web(notes, url):
    command.downgrade(migrate.config_for(url), "0001")
    with notes.engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO notes (text) VALUES ('early')")
    migrate.upgrade(url)
    assert [(note["text"], note["source"]) for note in notes.latest()] == [("early", "web")]
