"""What DeployTag remembers of an environment beside Pulumi's state: small, without secrets, and never the truth.

The truth is the remote's refs, the state, the cluster and the database server. Without a record an environment can be
deployed and destroyed all the same; the record makes `ls` fast, `why` helpful, and an unchanged push quick.
"""

from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from deploytag.delivery.moment import Moment
from deploytag.delivery.run import Action


class Outcome(StrEnum):
    """How the last run ended."""

    RUNNING = "running"
    """It said it began. Only with a live lease is it still true; otherwise the run died."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")  # an older DeployTag reads a newer one's record


class Attempt(_Model):
    """A run, and how it ended."""

    run: str
    action: Action
    revision: str | None
    started: Moment
    finished: Moment | None = None
    outcome: Outcome = Outcome.RUNNING
    cause: str | None = None
    """Why it failed: the sentence that the run ended with."""


class Deployed(_Model):
    """What was last seen to answer at the URL."""

    revision: str
    """The commit that the pods say they are."""
    fingerprint: str
    """Of everything that decides the environment's content but the commit; see `deploytag.delivery.fingerprint`."""
    url: str
    images: tuple[str, ...]
    """By digest: what `gc` must not delete."""
    verified: Moment
    secret_versions: dict[str, str] = {}
    """Of each secret that the pods have, by what its source is called: what `sync` compares."""


class Record(_Model):
    """What is remembered of one environment."""

    project: str
    ref: str
    stack: str
    namespace: str
    environment_class: str | None = None
    """The name of its class in the policy."""
    pushed: Moment
    """When a new commit last came: what idleness is counted from."""
    deployed: Deployed | None = None
    attempt: Attempt | None = None
    """The last run that began to change the environment."""
    push: Attempt | None = None
    """The newest push, where that is another run: one that has not come to change anything, or that failed before
    something was done with what is deployed."""
    # Left out where it is unknown: an older DeployTag reads a truth value here, or nothing.
    asleep: bool | None = Field(default=None, exclude_if=lambda it: it is None)
    """Whether it was put to sleep; None: a run began to change that, and has not said that it did."""
    keep_until: Moment | None = None

    @property
    def unsuccessful(self) -> Attempt | None:
        """The last run, if it failed, was interrupted, died or still runs: it may have left anything."""
        if self.attempt is None or self.attempt.outcome is Outcome.SUCCEEDED:
            return None
        return self.attempt

    @property
    def undeployed(self) -> str | None:
        """That the newest push is not what is deployed, and why; None: it is, or the attempt tells."""
        push = self.push
        if push is None or (self.deployed and self.deployed.revision == push.revision and not self.unsuccessful):
            return None
        pushed = f"{(push.revision or 'a commit')[:12]}, pushed {push.started:%Y-%m-%d %H:%M} UTC, is not deployed"
        if push.outcome is Outcome.RUNNING:
            return f"{pushed}: its run tests it, waits for its turn, or ended without a word"
        return f"{pushed}: {push.cause or 'its run did not say why'}"

    def begun(self, attempt: Attempt, *, asleep: bool) -> Self:
        """The record from when a run begins to declare the environment, asleep or awake, until it says how it ended.

        It may die at any moment, before or after its pods were stopped or started.
        """
        return self.model_copy(update={"attempt": attempt, "asleep": asleep if self.asleep is asleep else None})

    def over(self, now: Self) -> Self:
        """The record as the run that holds the lease writes it, over what is remembered now.

        Who needs no lease may have written since it was read: a push that came, and how long it is to be kept.
        """
        pushed = max(self.pushed, now.pushed)
        return self.model_copy(update={"pushed": pushed, "push": self._push(now), "keep_until": now.keep_until})

    def _push(self, now: Self) -> Attempt | None:
        run = self.attempt.run if self.attempt else None
        if now.push is not None:
            return None if now.push.run == run else now.push
        before = now.unsuccessful
        deploys = self.attempt is not None and self.attempt.action is Action.DEPLOY
        if before is None or before.run == run or before.action is not Action.DEPLOY or deploys:
            return None
        if before.outcome is Outcome.RUNNING:  # who holds the lease now is another
            return before.model_copy(update={"outcome": Outcome.INTERRUPTED, "cause": "its run ended without a word"})
        return before

    def asked_for(self, push: Attempt) -> Self:
        """With a push whose run has yet to get the lease. A commit that is run again is no new one."""
        last = self.push or self.attempt
        again = last is not None and last.revision == push.revision
        return self.model_copy(update={"push": push, "pushed": self.pushed if again else push.started})


class BuildLog(_Model):
    """What the last build of the environment's images printed, without secrets."""

    project: str
    ref: str
    revision: str | None
    """The commit that was built."""
    written: Moment
    text: str
    """Its end, where it was longer than a cluster keeps."""


class Tombstone(_Model):
    """Says that a ref's environment was destroyed on purpose, so that a late deployment does not bring it back."""

    project: str
    ref: str
    tip: str | None
    """The remote's tip when it was destroyed; None: the ref was gone. A push of another commit ends the tombstone."""
    destroyed: Moment
    run: str
