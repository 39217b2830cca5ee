"""A reason for which a deployment cannot succeed."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class CauseKind(StrEnum):
    """The stable name of a kind of cause, for scripts."""

    CRASH = "crash-loop"
    PROBE_KILLS = "probe-kills"
    IMAGE = "image"
    CONFIG = "container-config"
    UNSCHEDULABLE = "unschedulable"
    MOUNT = "mount"
    NEVER_READY = "never-ready"
    REFUSED = "pods-refused"
    HOOK = "hook"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why a deployment cannot succeed."""

    kind: CauseKind
    what: str
    """The sentence for a person."""
    object: str
    """What it is about, as kubectl takes it: pod/web-1."""
    pod: str | None = None
    """The pod whose log tells more."""
    container: str | None = None
    since: datetime
    """The first sign of it, by the server's clock."""
    event: str | None = None
    """What the cluster itself says. It may repeat what a program printed: redact it before it is shown."""
    previous: bool = False
    """The log that tells is that of the container's run before the present one."""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A cause, and from when on waiting any longer has no point."""

    cause: Cause
    certain: datetime
