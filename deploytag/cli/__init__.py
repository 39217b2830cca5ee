"""The `deploytag` command: one module per group of subcommands. Each imports what it needs only when it is called."""

from deploytag.cli import deliver, explain, fleet, names, pipeline, remove, rotate, setup
from deploytag.cli.app import app

__all__ = ["app", "deliver", "explain", "fleet", "names", "pipeline", "remove", "rotate", "setup"]
