"""The embedded sandbox: everything DeployTag talks to, real, on one machine."""
