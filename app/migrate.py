"""Migrations, `python -m app.migrate`: Alembic's `upgrade head` on the database of the environment."""

from pathlib import Path

from alembic import command as alembic
from alembic.config import Config

from app import command
from app.settings import Settings
from app.store import connect


def config_for(url: str) -> Config:
    """Alembic's configuration for one database. The engine is handed over, as a password may hold a `%`."""
    config = Config(Path(__file__).with_name("alembic.ini"))
    config.attributes["engine"] = connect(url)
    return config


def upgrade(url: str) -> None:
    """Bring the tables to the newest migration; on Postgres all of it happens or none of it."""
    alembic.upgrade(config_for(url), "head")


def main(settings: Settings) -> None:
    """Migrate the database of the environment."""
    upgrade(settings.need_database())


if __name__ == "__main__":
    command.run("migrate", main)
