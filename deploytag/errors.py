"""What a person reads when something they can put right went wrong.

Every error that somebody outside this code base can cause is a `DeployTagError`: its text is one or more sentences
(what was being done, on what, why it failed, what to do now) and it never reaches a terminal as a traceback. The exit
code differs by kind, so that a script can tell them apart; it is part of the command's interface and stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar


class DeployTagError(Exception):
    """A sentence for a person. Subclasses say which kind, by an exit code of their own."""

    exit_code: ClassVar[int] = 1
    url: str | None = None
    """Where what was deployed before still answers, when this ended a run that was to change it."""


class UsageError(DeployTagError):
    """The command was called in a way that has no meaning. Exit code 2, as for an unknown option."""

    exit_code: ClassVar[int] = 2


class SettingsError(DeployTagError):
    """`deploytag.yaml`, the policy or Pulumi's configuration says something impossible. Exit code 3."""

    exit_code: ClassVar[int] = 3


class RefError(DeployTagError):
    """Which branch or tag this is cannot be told, or it can have no environment. Exit code 4."""

    exit_code: ClassVar[int] = 4


class ForkError(RefError):
    """The code comes from a fork: it gets no environment by itself. Exit code 5, so that a pipeline can skip it."""

    exit_code: ClassVar[int] = 5


class ContentError(DeployTagError):
    """What is to be built or installed is not in the repository as the settings say. Exit code 6."""

    exit_code: ClassVar[int] = 6


class SecretError(DeployTagError):
    """A secret is missing or cannot become environment variables. Exit code 7."""

    exit_code: ClassVar[int] = 7


class UnreachableError(DeployTagError):
    """A service the run needs does not answer, or refuses. Exit code 8."""

    exit_code: ClassVar[int] = 8


class OwnershipError(DeployTagError):
    """The wrong cluster, or something of this name that is somebody else's. Exit code 9."""

    exit_code: ClassVar[int] = 9


class FailedTestsError(DeployTagError):
    """The application's tests failed, took too long or cannot be started. Exit code 10."""

    exit_code: ClassVar[int] = 10


class DeploymentError(DeployTagError):
    """The environment was touched and does not serve what was pushed; it stays, to be looked at. Exit code 11."""

    exit_code: ClassVar[int] = 11


class BusyError(DeployTagError):
    """Another run works on this environment and did not end in time, or this run lost its lease. Exit code 12."""

    exit_code: ClassVar[int] = 12


class LeftoverError(DeployTagError):
    """Something could not be removed; the sentence names it. Exit code 13."""

    exit_code: ClassVar[int] = 13

    def __init__(self, sentence: str, left: Iterable[str] = ()) -> None:
        super().__init__(sentence)
        self.left = tuple(left)
        """What is left, each with the reason, where it is more than one thing."""


class ProtectedError(DeployTagError):
    """The branch's class is protected, or too much would be deleted at once; nothing was. Exit code 14."""

    exit_code: ClassVar[int] = 14


class CapError(DeployTagError):
    """There may be no more environments, load balancers or database connections. Exit code 15; nothing was made."""

    exit_code: ClassVar[int] = 15


class InterruptedRunError(DeployTagError):
    """A signal ended the run, after its children had ended. Exit code 130, as shells have it for Ctrl-C."""

    exit_code: ClassVar[int] = 130


def kind_of(error: BaseException) -> type[DeployTagError]:
    """The kind of an error, as the list of exit codes has it; of a defect too."""
    kinds = (kind for kind in type(error).__mro__ if kind.__module__ == __name__)
    return next((kind for kind in kinds if issubclass(kind, DeployTagError)), DeployTagError)
