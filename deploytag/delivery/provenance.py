"""Whether what a record names may be declared again.

A record is a ConfigMap, which everybody who deploys this project may write, whatever the class: a program of one class
could name a commit of its own in the record of another's environment, and `sync` or `gc` would run it with the other's
credentials. So a commit is run only where the remote says that it is one of the branch's. The remote decides who may
push to which branch; nothing in the cluster does.
"""

from datetime import UTC, datetime

from deploytag.delivery.lifetime import outlived
from deploytag.delivery.record import Deployed
from deploytag.delivery.world import World
from deploytag.identity import Identity


def hindrance(world: World, identity: Identity, deployed: Deployed, tip: str | None) -> str | None:
    """Why the deployed commit is not to be declared again; None: it may be.

    Args:
        tip: where the remote has the branch; None: it has none.

    Raises:
        UnreachableError, SettingsError: the remote or the cluster does not answer.
    """
    ref, revision = identity.ref, deployed.revision
    stone = world.records.tombstone(identity)
    if stone is not None and not outlived(stone, datetime.now(UTC)):
        return f"{ref} was destroyed on purpose, if not to the end: `deploytag destroy {ref}` ends it"
    if tip is None:
        return f"{ref} is gone from the remote: `deploytag gc` removes its environment"
    if not world.remote.holds(tip, revision):
        return (
            f"{revision[:12]}, which is said to be deployed for {ref}, is no commit of that branch on the remote: it "
            "was pushed over, or is another branch's, and is not run with the credentials of this class. The next push "
            f"of {ref} deploys its tip"
        )
    return None
