"""What recovery acts with. The run gives its own: everything started here belongs to it and ends with it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from deploytag.administrator import Administrator
from deploytag.delivery.cluster import Cluster
from deploytag.delivery.recovery.locks import EngineProcess
from deploytag.delivery.store import StateStore
from deploytag.identity import Identity


class Finished(Protocol):
    """How a command ended."""

    @property
    def code(self) -> int:
        """Its exit code."""

    @property
    def output(self) -> str:
        """What it printed, errors included."""


class Commands(Protocol):
    """Runs commands whose descendants are all held."""

    def run(self, command: Sequence[str], *, cwd: Path, timeout: float | None = None) -> Finished:
        """Run it to its end; `timeout` in seconds."""


class Engine(Protocol):
    """Pulumi on the environment's stack, which exists. Each raises a `DeployTagError` when the command fails."""

    def refresh(self, *, clear_pending: bool, exclude: Sequence[str]) -> None:
        """`pulumi refresh --yes --skip-preview [--clear-pending-creates] [--exclude URN]…`."""

    def creations(self) -> dict[str, Any]:
        """What `pulumi preview --import-file FILE` writes: everything the next `up` would create, without ids."""

    def adopt(self, resources: Mapping[str, Any]) -> None:
        """`pulumi import --yes --skip-preview --protect=false --generate-code=false --file FILE` with `resources`."""

    def state(self) -> dict[str, Any] | None:
        """What `pulumi stack export` prints; asked only where a service has the state. None: no such stack."""


class Lease(Protocol):
    """The environment's lease, which the run holds."""

    @property
    def engines(self) -> Sequence[EngineProcess]:
        """Engines of earlier runs whose end nobody saw; they have ended by now."""

    def engines_ended(self) -> None:
        """Forget them: nothing of theirs is left."""

    def check(self) -> None:
        """Raise `BusyError` when the lease is not provably held any more. Asked right before each write."""


@dataclass(frozen=True, slots=True)
class Tools:
    """Everything recovery asks and acts with."""

    identity: Identity
    repository: Path
    """The checkout; commands run there."""
    cluster: Cluster
    store: StateStore | None
    """None: a service keeps state and locks."""
    administrator: Administrator | None
    """None: the class has no database."""
    engine: Engine
    commands: Commands
    lease: Lease
    protected: bool = False
    """Whether what is there holds data that is never done away with."""
    say: Callable[[str], None] = lambda _: None
    """Told what is about to be waited for, or done and takes long."""
