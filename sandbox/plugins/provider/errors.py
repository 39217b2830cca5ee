"""Errors that a handler raises, each a sentence for the person who runs `pulumi`.

The server turns them into gRPC errors. Secret inputs of the call are masked in every message, whoever wrote it.
"""

from __future__ import annotations

from collections.abc import Sequence

from sandbox.plugins.provider.values import Properties


class ProviderError(Exception):
    """The operation failed; the message is the sentence shown."""


class InvalidInputError(ProviderError):
    """An input is wrong or not supported by this plugin."""


class NotFoundError(ProviderError):
    """What should be there is not."""


class AlreadyExistsError(ProviderError):
    """What should be created is there already."""


class UnreachableError(ProviderError):
    """The service does not answer."""


class CancelledError(ProviderError):
    """The user cancelled while the operation ran."""


class InitFailedError(ProviderError):
    """The resource exists but did not become what it should be.

    The engine records it with `outputs` (and the given inputs), reports `reasons`, and updates it at the next `up`.
    Use it for a create or update that changed something before it failed.
    """

    def __init__(self, resource_id: str, outputs: Properties, reasons: Sequence[str], inputs: Properties | None = None):
        """Keep what the engine records beside the sentence."""
        super().__init__("; ".join(reasons))
        self.resource_id = resource_id
        self.outputs = outputs
        self.reasons = list(reasons)
        self.inputs = inputs
