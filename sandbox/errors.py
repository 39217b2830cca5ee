"""The one exception of the sandbox that is meant for a person."""


class SandboxError(Exception):
    """What was being done, to what, what went wrong and what to do now, as sentences.

    The command line prints it without a traceback.
    """
