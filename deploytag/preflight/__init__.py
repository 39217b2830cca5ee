"""Looks before anything is made: is everything reachable, is it the right cluster, is what exists ours? Only reads."""

from deploytag.preflight.addresses import networks_of_database
from deploytag.preflight.check import Target, check

__all__ = ["Target", "check", "networks_of_database"]
