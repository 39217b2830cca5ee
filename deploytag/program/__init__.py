"""Declares resources; the only place that imports pulumi. It never acts."""

from deploytag.program.environment import Environment, EnvironmentArgs
from deploytag.program.main import declare, main
from deploytag.program.secret import SecretVersions, read_key, read_layers

__all__ = ["Environment", "EnvironmentArgs", "SecretVersions", "declare", "main", "read_key", "read_layers"]
