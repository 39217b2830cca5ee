"""Both files of a checkout at once: what `deploytag init` looks at. A run takes the policy from `deploytag.trust`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from deploytag.settings.application import SETTINGS_FILE, ApplicationSettings
from deploytag.settings.policy import POLICY_FILE, Policy
from deploytag.yamlmodel import Complaints, read_model, unusable


@dataclass(frozen=True, slots=True)
class Settings:
    """Both files of one checkout, valid."""

    application: ApplicationSettings
    policy: Policy

    @classmethod
    def load(cls, repository: Path) -> Self:
        """Read both files below `repository`.

        Raises:
            SettingsError: with every complaint about both files, a line each.
        """
        application = read_model(repository / SETTINGS_FILE, ApplicationSettings)
        policy = read_model(repository / POLICY_FILE, Policy)
        if isinstance(application, ApplicationSettings) and isinstance(policy, Policy):
            return cls(application, policy)
        raise unusable(line for outcome in (application, policy) if isinstance(outcome, Complaints) for line in outcome)
