"""The one exception of the sandbox that is meant for a person."""

# Ends the errors of a machine that the sandbox cannot run on.
OWN_CLUSTER = "To use a cluster of your own instead of the sandbox, see docs/how-to/existing-cluster.md."


class SandboxError(Exception):
    """What was being done, to what, what went wrong and what to do now, as sentences.

    The command line prints it without a traceback.
    """
