"""How long an address may take to answer, and how often it is asked. Pure: it is told what time it is."""

from dataclasses import dataclass, field

NEW_NAME = 600.0
"""Seconds until a load balancer must be reached by the name that it was just given. Clouds name one at once and take
minutes to make it (aws-load-balancer-controller#1786), and until then the name may be unknown."""
NAME_TICK = 10.0
"""Seconds between two tries of such a name: whoever resolves it remembers for a while that there was none."""


@dataclass(slots=True)
class Patience:
    """The time that is left to one address. All times are of one clock, in seconds."""

    timeout: float
    """How long it may take to answer as it should, from the moment when it can be reached."""
    began: float
    new_name: bool
    """Whether it is a name under which nothing has answered so far."""
    rollout: float = 0.0
    """How long all that is deployed may take to run, before the address's own time begins."""
    _counted: float = field(init=False)
    _next: float = field(init=False)

    def __post_init__(self) -> None:
        self._counted = self._next = self.began

    def asks(self, now: float) -> bool:
        """Whether it is time to ask."""
        return now >= self._next

    def unreached(self, now: float) -> bool:
        """It could not be reached; returns whether that is no wonder yet."""
        if not self.new_name or now - self.began >= NEW_NAME:
            return False
        self._counted = now
        self._next = now + min(NAME_TICK, self.timeout / 2)
        return True

    def rolls_out(self, now: float) -> None:
        """Not all that is deployed runs yet."""
        if now - self.began < self.rollout:
            self._counted = now

    def over(self, now: float) -> bool:
        """Whether to give up."""
        return now - self._counted >= self.timeout
