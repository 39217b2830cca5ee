"""How Alembic reaches the database: the engine of `app.migrate`, else DATABASE_URL for Alembic's own command line."""

from alembic import context

from app.settings import Settings
from app.store import connect, metadata

engine = context.config.attributes.get("engine") or connect(Settings.from_environment().database_url or "")

with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=metadata)
    with context.begin_transaction():
        context.run_migrations()
