"""Destroys environments and collects what should not exist."""
