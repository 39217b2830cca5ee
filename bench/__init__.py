"""Measured runs: what docs/measured.md says, made by the commands it names."""
