"""How long things live that nobody uses. Pure."""

from datetime import datetime, timedelta

from deploytag.delivery.record import Record, Tombstone
from deploytag.settings import EnvironmentClass

TOMBSTONE_AGE = timedelta(days=30)
"""How long it is remembered that an environment was destroyed on purpose: no deployment is later than that."""


def outlived(tombstone: Tombstone, now: datetime) -> bool:
    """Whether a tombstone says nothing any more, be it there or not: no deployment of its commit is a late one."""
    return now - tombstone.destroyed > TOMBSTONE_AGE


def expiry(record: Record, cls: EnvironmentClass) -> datetime | None:
    """When an environment is collected although its branch exists, unless somebody pushes; None: never."""
    if cls.ttl is None or cls.protected:
        return None
    idle = record.pushed + cls.ttl
    return max(idle, record.keep_until) if record.keep_until else idle
