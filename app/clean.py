"""Delete old notes: what the chart's CronJob runs every night, as `python -m app.clean --days 30`."""

import argparse
import logging

from app import command
from app.settings import Settings
from app.store import Notes, connect


def main(settings: Settings) -> None:
    """Delete the notes older than `--days`."""
    parser = argparse.ArgumentParser(prog="app.clean", description=main.__doc__)
    parser.add_argument("--days", type=int, default=30, help="how old a note must be (default 30)")
    days = parser.parse_args().days
    deleted = Notes(connect(settings.need_database())).delete_older_than(days)
    logging.getLogger("clean").info("deleted %s notes older than %s days", deleted, days)


if __name__ == "__main__":
    command.run("clean", main)
