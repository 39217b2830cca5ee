"""The notes: the one table of the application, and what is done with it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

metadata = sa.MetaData()

notes_table = sa.Table(
    "notes",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("source", sa.String(20), nullable=False, server_default="web"),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now(), index=True),
)


def connect(url: str) -> Engine:
    """Make an engine that gives up within seconds and holds few connections: the role's number of them is limited."""
    if not url.startswith("postgresql"):
        return sa.create_engine(url, future=True)
    return sa.create_engine(
        url, future=True, pool_size=2, max_overflow=2, pool_pre_ping=True, connect_args={"connect_timeout": 3}
    )


def reason(error: SQLAlchemyError) -> str:
    """The database's own words, without the statement, its parameters and SQLAlchemy's link."""
    return str(getattr(error, "orig", None) or error).strip()


class Notes:
    """What the rest of the application may do with the database."""

    def __init__(self, engine: Engine) -> None:
        """Keep the engine; nothing connects before it must."""
        self.engine = engine

    def check(self) -> None:
        """Raise when the database does not answer."""
        with self.engine.connect() as connection:
            connection.execute(sa.text("SELECT 1"))

    def migration(self) -> str | None:
        """Return the migration that the database is at; None when it has seen none."""
        with self.engine.connect() as connection:
            if not sa.inspect(connection).has_table("alembic_version"):
                return None
            return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()

    def add(self, text: str, source: str) -> int:
        """Store a note and return its number."""
        with self.engine.begin() as connection:
            result = connection.execute(notes_table.insert().values(text=text, source=source))
            return int(result.inserted_primary_key[0])

    def latest(self, limit: int = 50) -> list[dict[str, Any]]:
        """Return the newest notes first, ready to become JSON."""
        query = sa.select(notes_table).order_by(notes_table.c.id.desc()).limit(limit)
        with self.engine.connect() as connection:
            return [
                {"id": row.id, "text": row.text, "source": row.source, "created_at": row.created_at.isoformat()}
                for row in connection.execute(query)
            ]

    def delete_older_than(self, days: int) -> int:
        """Delete the notes written more than so many days ago and return how many they were."""
        limit = datetime.now(UTC) - timedelta(days=days)
        with self.engine.begin() as connection:
            return int(connection.execute(notes_table.delete().where(notes_table.c.created_at < limit)).rowcount)
