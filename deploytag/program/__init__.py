"""Declares resources; the only place that imports pulumi. It never acts."""

from deploytag.program.environment import Environment, EnvironmentArgs
from deploytag.program.main import declare, main
from deploytag.program.secret import SecretVersion, read

__all__ = ["Environment", "EnvironmentArgs", "SecretVersion", "declare", "main", "read"]
