"""Declares resources; the only place that imports pulumi. It never acts."""

from deploytag.program.environment import Environment, EnvironmentArgs, Trees
from deploytag.program.main import declare, main, stage
from deploytag.program.secret import SecretVersion, read

__all__ = ["Environment", "EnvironmentArgs", "SecretVersion", "Trees", "declare", "main", "read", "stage"]
