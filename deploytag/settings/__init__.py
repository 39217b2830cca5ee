"""Typed settings: `deploytag.yaml` (the branch's own) and `deploytag.policy.yaml` (who may have what).

Everything in a file is checked before anything is touched, and everything wrong is said at once, each with its key and
what is allowed there. The JSON schemas that editors use come from these models (`deploytag schema`).
"""

from deploytag.settings.access import Access, Expose
from deploytag.settings.application import (
    CONTRACT_VALUES,
    SETTINGS_FILE,
    ApplicationSettings,
    Images,
    Tests,
    Variables,
    Verify,
)
from deploytag.settings.caps import Caps
from deploytag.settings.isolation import Destination, Isolation, Network
from deploytag.settings.loading import Settings
from deploytag.settings.policy import FORKS, POLICY_FILE, Cluster, ContainerDefaults, EnvironmentClass, Limits, Policy
from deploytag.settings.secrets import SecretSource, SecretSources
from deploytag.settings.types import VARIABLE_NAME, number_of, parse_duration

__all__ = [
    "CONTRACT_VALUES",
    "FORKS",
    "POLICY_FILE",
    "SETTINGS_FILE",
    "VARIABLE_NAME",
    "Access",
    "ApplicationSettings",
    "Caps",
    "Cluster",
    "ContainerDefaults",
    "Destination",
    "EnvironmentClass",
    "Expose",
    "Images",
    "Isolation",
    "Limits",
    "Network",
    "Policy",
    "SecretSource",
    "SecretSources",
    "Settings",
    "Tests",
    "Variables",
    "Verify",
    "number_of",
    "parse_duration",
]
