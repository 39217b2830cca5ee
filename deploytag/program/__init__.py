"""Declares resources; the only place that imports pulumi. It never acts."""

from deploytag.program.environment import Environment, EnvironmentArgs, Trees
from deploytag.program.main import declare, main

__all__ = ["Environment", "EnvironmentArgs", "Trees", "declare", "main"]
