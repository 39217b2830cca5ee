"""What is remembered of a push before its run holds the environment: that it came, and that it came to nothing.

That much is written without the lease, and nothing else is. Where there is no record there is no environment that could
be taken for idle, and none is made: its tests may fail.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

from deploytag.delivery.hold import first_line
from deploytag.delivery.record import Attempt, Outcome, Record
from deploytag.delivery.records import Records
from deploytag.delivery.run import Run
from deploytag.errors import BusyError, DeployTagError, InterruptedRunError
from deploytag.identity import Identity
from deploytag.redaction import redact


@contextmanager
def remembering_push(records: Records, identity: Identity, run: Run) -> Iterator[None]:
    """Remember that a run was asked to deploy its commit, and why it failed before it began to change anything.

    Raises:
        UnreachableError, OwnershipError: as `records` does.
    """
    came = Attempt(run=run.id, action=run.action, revision=run.commit, started=datetime.now(UTC))
    # Others kept writing to it. That is no reason not to deploy: it is written again under the lease.
    with suppress(BusyError):
        records.amend(identity, lambda now: now.asked_for(came))

    def end(push: Attempt | None) -> None:
        def ended(now: Record) -> Record:
            # Once it has begun to change something, that is its attempt; and a newer push may have come.
            own = now.push is not None and now.push.run == run.id
            return now.model_copy(update={"push": push}) if own else now

        # How the run itself ended is the thing to say.
        with suppress(DeployTagError):
            records.amend(identity, ended)

    try:
        yield
    except BaseException as error:
        stopped = isinstance(error, InterruptedRunError | KeyboardInterrupt)
        outcome = Outcome.INTERRUPTED if stopped else Outcome.FAILED
        cause = redact(first_line(error))
        end(came.model_copy(update={"finished": datetime.now(UTC), "outcome": outcome, "cause": cause}))
        raise
    end(None)
