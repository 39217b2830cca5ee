"""Which form each command prints."""

from types import MappingProxyType
from typing import Any

from pydantic import TypeAdapter

from deploytag.cli.forms.environments import Environment, EnvironmentInDetail, Kept
from deploytag.cli.forms.examination import Examination
from deploytag.cli.forms.explanations import Build, Logs, Why
from deploytag.cli.forms.plans import CiPlan, DeployPlan, SyncPlan
from deploytag.cli.forms.removals import WouldRemove
from deploytag.cli.forms.setup import Initialised, Tested
from deploytag.delivery.removal.collection import Collection
from deploytag.delivery.report import Report
from deploytag.identity import Identity

PRINTED: MappingProxyType[str, Any] = MappingProxyType(
    {
        "deploy": Report | DeployPlan,
        "destroy": Report | WouldRemove,
        "ci": Report | Collection | CiPlan,
        "gc": Collection | Report,
        "ls": list[Environment] | Report,
        "status": EnvironmentInDetail | Report,
        "why": Why | Report,
        "logs": Logs | Build | Report,
        "sleep": Report,
        "wake": Report,
        "sync": Report | list[Report] | SyncPlan | list[SyncPlan],
        "keep": Kept | Report,
        "doctor": Examination | Report,
        "init": Initialised | Report,
        "name": Identity | Report,
        "test": Tested | Report,
    }
)
"""By command. Any of them prints a `Report` when it fails before it has anything else to show."""


def schema(command: str) -> dict[str, Any]:
    """The JSON schema of what a command prints with `--json`."""
    return TypeAdapter(PRINTED[command]).json_schema(mode="serialization")
