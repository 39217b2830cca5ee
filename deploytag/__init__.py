"""DeployTag: every git branch its own running copy of an application."""
