"""Provider settings: what the program, the stack's config or the environment says about the plugin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sandbox.plugins.provider import Failure, Properties, config_value, has_unknown, reveal

# Settings that change nothing here, because this plugin gives none of the warnings they silence and never replaces a
# provider.
_NO_EFFECT: Final = frozenset({"suppressDeprecationWarnings", "suppressHelmHookWarnings", "clusterIdentifier"})
_SUPPORTED: Final = frozenset(
    {
        "cluster",
        "context",
        "deleteUnreachable",
        "enableConfigMapMutable",
        "enablePatchForce",
        "enableSecretMutable",
        "kubeconfig",
        "namespace",
    }
)
# Accepted with the value that is this plugin's behaviour, refused with any other.
_FIXED: Final[dict[str, bool]] = {
    "enableServerSideApply": True,
    "upsertExistingObjects": False,
    "alwaysRender": False,
    "skipUpdateUnreachable": False,
    "strictMode": False,
    "rejectUnknownResources": False,
}
_ENGINE: Final = frozenset({"version", "pluginDownloadURL", "__internal"})


@dataclass(frozen=True)
class Settings:
    """The settings in force."""

    kubeconfig: str = ""
    """A path or the contents; empty: the environment decides (`KUBECONFIG`)."""
    context: str = ""
    cluster: str = ""
    namespace: str = ""
    config_map_mutable: bool = False
    secret_mutable: bool = False
    patch_force: bool = False
    delete_unreachable: bool = False

    @classmethod
    def read(cls, config: Properties, environment: Mapping[str, str]) -> Settings:
        """Return the settings; the config wins over the environment."""
        plain = reveal(config)

        def text(key: str) -> str:
            value = plain.get(key)
            return value if isinstance(value, str) else ""

        def flag(key: str, variable: str) -> bool:
            value = config_value(plain, key)
            return value is True if value is not None else environment.get(variable) == "true"

        return cls(
            kubeconfig=text("kubeconfig"),
            context=text("context"),
            cluster=text("cluster"),
            namespace=text("namespace"),
            config_map_mutable=flag("enableConfigMapMutable", "PULUMI_K8S_ENABLE_CONFIGMAP_MUTABLE"),
            secret_mutable=flag("enableSecretMutable", "PULUMI_K8S_ENABLE_SECRET_MUTABLE"),
            patch_force=flag("enablePatchForce", "PULUMI_K8S_ENABLE_PATCH_FORCE"),
            delete_unreachable=flag("deleteUnreachable", "PULUMI_K8S_DELETE_UNREACHABLE"),
        )


def unsupported(config: Properties) -> list[Failure]:
    """Return a failure for every setting this plugin does not honour."""
    failures = []
    for key in sorted(config.keys() - _SUPPORTED - _NO_EFFECT - _ENGINE):
        value: Any = config_value(reveal(config), key)
        if key in _FIXED and (value is _FIXED[key] or has_unknown(config[key])):
            continue
        reason = f"the offline kubernetes plugin does not support the setting `kubernetes:{key}`"
        if key in _FIXED:
            reason += f" with another value than {str(_FIXED[key]).lower()}"
        failures.append(Failure(key, reason))
    return failures
