"""What exists of an environment, and whose it is."""
