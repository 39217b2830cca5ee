"""Declares resources; the only place that imports pulumi. It never acts."""

from deploytag.program.environment import Environment, EnvironmentArgs
from deploytag.program.main import declare, main
from deploytag.program.secret import SecretVersions, read_layers, read_text

__all__ = ["Environment", "EnvironmentArgs", "SecretVersions", "declare", "main", "read_layers", "read_text"]
