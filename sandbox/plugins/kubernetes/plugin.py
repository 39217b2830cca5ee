"""The provider: its settings, and which handler serves which token."""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, ClassVar

from sandbox.plugins.kubernetes.kinds import Kind
from sandbox.plugins.kubernetes.settings import Settings, unsupported
from sandbox.plugins.provider import Failure, Properties, Provider, Resource, sdk_version

if TYPE_CHECKING:
    from sandbox.plugins.kubernetes.cluster import Cluster

RELEASE = "kubernetes:helm.sh/v3:Release"


class KubernetesProvider(Provider):
    """The offline `kubernetes` plugin."""

    name: ClassVar[str] = "kubernetes"
    version: ClassVar[str] = sdk_version("kubernetes")

    def __init__(self) -> None:
        """Start with the ambient cluster."""
        super().__init__()
        self.settings = Settings()
        self._cluster: Cluster | None = None

    def warm_up(self) -> None:
        """Import the Kubernetes client: half a second that the engine spends starting the program."""
        importlib.import_module("sandbox.plugins.kubernetes.plain")
        importlib.import_module("sandbox.plugins.kubernetes.release")

    def check_config(self, config: Properties) -> list[Failure]:
        """Refuse settings that are not supported."""
        return unsupported(config)

    def configure(self, config: Properties) -> None:
        """Take the settings."""
        self.settings = Settings.read(config, os.environ)
        self._cluster = None

    @property
    def cluster(self) -> Cluster:
        """The cluster; connects when first used."""
        from sandbox.plugins.kubernetes.cluster import Cluster  # noqa: PLC0415 (slow: see warm_up)

        if self._cluster is None:
            self._cluster = Cluster(self.settings, self.cancellation)
        return self._cluster

    def resource(self, token: str) -> Resource:
        """Return the handler of `token`."""
        from sandbox.plugins.kubernetes.plain import PlainKind  # noqa: PLC0415 (slow: see warm_up)
        from sandbox.plugins.kubernetes.release import Release  # noqa: PLC0415 (slow: see warm_up)

        if token == RELEASE:
            return Release(self.cluster)
        return PlainKind(Kind.from_token(token), self.cluster)
