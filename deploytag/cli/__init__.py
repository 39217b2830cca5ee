"""The `deploytag` command: one module per group of subcommands. Each imports what it needs only when it is called."""

# In the order in which `--help` lists them.
from deploytag.cli import deploy, ci, explain, fleet, remove, sync, setup, scripts  # noqa: I001
from deploytag.cli.app import app

__all__ = ["app", "ci", "deploy", "explain", "fleet", "remove", "scripts", "setup", "sync"]
