"""`python -m deploytag`, for where the command is not on PATH."""

from deploytag.cli import app

app()
