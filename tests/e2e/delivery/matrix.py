"""One trial of the kill matrix: a run dies after its k-th engine event, and what is run next converges.

That is the same command, or the destruction of what was begun.
"""

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from deploytag.delivery.store import StateStore
from tests.e2e.delivery.killing import Victim, victim
from tests.e2e.delivery.pushing import Pushing
from tests.e2e.delivery.written import twice, written
from tests.e2e.program.checkout import page
from tests.e2e.program.inventory import made


class Scenario(StrEnum):
    """What dies."""

    FIRST = "first deployment"
    UPDATE = "update"
    DESTROY = "destroy"
    ABANDONED = "first deployment, and then destroyed"

    @property
    def is_gone(self) -> bool:
        """Whether nothing is there at its end."""
        return self in {Scenario.DESTROY, Scenario.ABANDONED}


class Death(StrEnum):
    """How it dies."""

    ALL = "SIGKILL of everything"
    WRAPPER = "SIGKILL of the wrapper"
    STOPPED = "SIGSTOP past the lease, then SIGCONT"


@dataclass(frozen=True)
class Trial:
    """What became of one."""

    scenario: Scenario
    death: Death
    event: int
    said: str
    """The event after which it died."""
    repaired: tuple[str, ...]
    """What the next run found and put right."""

    def append_to(self, path: Path) -> None:
        with path.open("a") as lines:
            lines.write(json.dumps(asdict(self)) + "\n")


def trial(it: Pushing, ref: str, scenario: Scenario, death: Death, event: int) -> Trial | None:
    """Run one; None when the run had ended before its event came. The environment is as after the scenario."""
    identity = it.identity(ref)
    commit = it.push(ref, f"{scenario}, {death}, event {event}")
    if scenario not in {Scenario.FIRST, Scenario.ABANDONED}:
        it.report("deploy", ref, "--recreate")
    if scenario is Scenario.UPDATE:
        # Another image, so that there is something to build, to push and to roll out.
        path = it.path / "app" / "web.py"
        path.write_text(path.read_text() + f"# {death} after event {event}\n")
        commit = it.push(ref, "an edit")
    store = StateStore.from_environ(it.checkout.environ, it.checkout.path)
    assert store is not None
    before = written(identity, store)
    deploy, destroy = ["deploy", ref, "--recreate"], ["destroy", ref]
    dying, then = destroy if scenario is Scenario.DESTROY else deploy, destroy if scenario.is_gone else deploy
    with victim(["deploytag", *dying, "--verbose"], it.path, it.checkout.environ) as run:
        reached = run.after(event)
        if reached:
            kill(run, death)
        else:
            assert run.wait() == 0, "".join(run.output)
        dead = written(identity, store)
        report = it.report(*then)
        if reached and death is Death.STOPPED:
            run.resume()
            assert run.wait() != 0, "it went on, though another run had taken over"
        assert run.gone(), "something of the dead run lives"
        said = run.output[-1].strip() if run.output else ""
    after = written(identity, store)
    # Whoever runs it once more finds nothing to do, and does nothing.
    again = it.report(*then)
    assert again["outcome"] == "unchanged", again
    assert again["repaired"] == []
    assert written(identity, store).without_state == after.without_state
    assert store.locks(identity.project, identity.stack) == []
    if scenario.is_gone:
        assert made(identity) == []
        assert identity.stack not in store.stacks(identity.project)
    else:
        assert page(again["url"])["revision"] == commit
        assert twice(before, dead, after) == []
        assert len(after.releases) <= 3, "Helm's history is bounded"
        state = store.checkpoint(identity.project, identity.stack)
        assert state is not None
        assert not state.get("pending_operations")
    if not reached:
        return None
    return Trial(scenario, death, event, said, tuple(report["repaired"]))


def kill(run: Victim, death: Death) -> None:
    match death:
        case Death.ALL:
            run.kill_all()
        case Death.WRAPPER:
            run.kill_wrapper()
            assert run.gone(), "what it had started has not ended with it"
        case Death.STOPPED:
            run.stop()
