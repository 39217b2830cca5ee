"""What `--dry-run` says of one environment."""

from typing import Literal

from deploytag.cli.forms.form import Form


class DeployPlan(Form):
    """What `deploy --dry-run` would do."""

    plan: Literal["deploy", "unchanged", "skip"]
    ref: str
    revision: str
    """The commit that is checked out."""
    reason: str


class SyncPlan(Form):
    """What `sync --dry-run` would do to one environment."""

    plan: Literal["sync", "unchanged", "skip"]
    ref: str
    reason: str


class CiPlan(Form):
    """What `ci --dry-run` would do."""

    plan: Literal["deploy", "destroy", "gc", "skip"]
    ref: str | None = None
    commit: str | None = None
    """What would be deployed."""
    why: str | None = None
    asked_for: bool = False
    """Of a destroy: whether somebody wants it gone though its branch may be there."""
    classless: bool = False
    """Of a destroy: whether the policy has no class for the branch, so that there should be no environment."""
