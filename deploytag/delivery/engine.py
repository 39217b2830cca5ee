"""Pulumi's commands on one stack, as events in and a result out."""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from deploytag.delivery.children import Cancellation, Children
from deploytag.delivery.events import Diagnostic, Event, Step, Summary, parse
from deploytag.errors import DeploymentError, UnreachableError

OnEvent = Callable[[Event], None]

ALWAYS = {
    "PULUMI_SKIP_UPDATE_CHECK": "true",
    # A fresh runner has no `Pulumi.<stack>.yaml` with the salt: the state has it too (pulumi#8408).
    "PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER": "true",
}


class HoldsEngines(Protocol):
    """Where it is written down that an engine runs, before it does: the lease."""

    def engine_started(self, pid: int) -> None:
        """Note an engine of this run."""


@dataclass(frozen=True, slots=True)
class EngineResult:
    """How one command ended."""

    code: int
    changes: Mapping[str, int] = field(default_factory=dict)
    """Resources by operation, as the engine counted them."""
    outputs: Mapping[str, Any] = field(default_factory=dict)
    """The stack's, secrets masked."""
    errors: tuple[str, ...] = ()
    """What the engine, a provider or the program complained of."""
    tail: str = ""
    """The last of what was printed beside events: what there is when the command itself could not run."""

    @property
    def ok(self) -> bool:
        """Whether it did all it was asked to."""
        return self.code == 0

    @property
    def complaint(self) -> str:
        """Why it did not, as far as it said."""
        return "\n".join(self.errors) or self.tail.strip() or f"pulumi ended with exit code {self.code}"


class Engine:
    """Pulumi on one stack; every process it starts is held by the run."""

    def __init__(
        self, project: str, stack: str, folder: Path, children: Children, environ: Mapping[str, str], held: HoldsEngines
    ) -> None:
        """`folder` holds Pulumi.yaml and, for `up`, the program."""
        self._stack, self._folder, self._children, self._held = stack, folder, children, held
        self._environ = {**environ, **ALWAYS}
        self.project = project

    @classmethod
    def without_program(
        cls,
        project: str,
        stack: str,
        scratch: Path,
        children: Children,
        environ: Mapping[str, str],
        held: HoldsEngines,
    ) -> "Engine":
        """An engine that works from state alone: all it is told is the project's name."""
        scratch.mkdir(parents=True, exist_ok=True)
        # The runtime is never started: neither `destroy` nor `refresh` runs the program.
        (scratch / "Pulumi.yaml").write_text(json.dumps({"name": project, "runtime": "python"}))
        return cls(project, stack, scratch, children, environ, held)

    def ensure_stack(self) -> None:
        """Make the stack when it is new."""
        # `up` alone does not, without a terminal.
        self._must("stack", "select", "--create", self._stack)

    def up(self, on_event: OnEvent, cancellation: Cancellation | None = None) -> EngineResult:
        """Converge on what the program declares."""
        return self._operate(["up"], on_event, cancellation)

    def refresh(
        self,
        on_event: OnEvent,
        *,
        clear_pending: bool = False,
        imports: Sequence[tuple[str, str]] = (),
        cancellation: Cancellation | None = None,
    ) -> EngineResult:
        """Let the state say what is there. `imports` pairs URNs of pending creations with what was created."""
        command = ["refresh"]
        if imports:
            command += ["--import-pending-creates", ",".join(word for pair in imports for word in pair)]
        if clear_pending:
            command.append("--clear-pending-creates")
        return self._operate(command, on_event, cancellation)

    def destroy(
        self, on_event: OnEvent, *, refresh: bool = True, cancellation: Cancellation | None = None
    ) -> EngineResult:
        """Remove every resource of the state; what was removed by hand first is no obstacle when it is refreshed."""
        return self._operate(["destroy", *(["--refresh"] if refresh else [])], on_event, cancellation)

    def unprotect(self) -> None:
        """Lift the protection of every resource."""
        self._must("state", "unprotect", "--all", "--yes", "--stack", self._stack)

    def remove_stack(self) -> None:
        """Forget the stack, whatever its state still holds."""
        self._must("stack", "rm", "--yes", "--force", "--preserve-config", "--stack", self._stack)

    def _must(self, *arguments: str) -> None:
        finished = self._children.run(
            [_pulumi(), *arguments, "--non-interactive"],
            cwd=self._folder,
            environ=self._environ,
            on_pid=self._held.engine_started,
        )
        if finished.code:
            raise DeploymentError(
                f"`pulumi {' '.join(arguments)}` failed: {finished.output.strip().removeprefix('error: ')}"
            )

    def _operate(self, command: Sequence[str], on_event: OnEvent, cancellation: Cancellation | None) -> EngineResult:
        reader = _Reader(on_event)
        finished = self._children.run(
            [_pulumi(), *command, "--yes", "--skip-preview", "--json", "--non-interactive", "--stack", self._stack],
            cwd=self._folder,
            environ=self._environ,
            on_line=reader.read,
            on_pid=self._held.engine_started,
            cancellation=cancellation,
        )
        return reader.result(finished.code)


class _Reader:
    """Collects the result of a command from the lines it prints."""

    def __init__(self, on_event: OnEvent) -> None:
        self._on_event = on_event
        self._errors: list[str] = []
        self._other: list[str] = []
        self._changes: Mapping[str, int] = {}
        self._outputs: Mapping[str, Any] = {}

    def read(self, line: str) -> None:
        event = parse(line)
        match event:
            case None:
                if not line.startswith("{"):
                    self._other = [*self._other[-20:], line]
                return
            case Diagnostic(severity="error", message=message) if message not in self._errors:
                self._errors.append(message)
            case Summary(changes=changes):
                self._changes = changes
            case Step(outputs=outputs) if outputs is not None:
                self._outputs = outputs
        self._on_event(event)

    def result(self, code: int) -> EngineResult:
        return EngineResult(code, self._changes, self._outputs, tuple(self._errors), "\n".join(self._other))


def _pulumi() -> str:
    if found := shutil.which("pulumi"):
        return found
    raise UnreachableError(
        "there is no pulumi command on PATH. Install Pulumi (https://www.pulumi.com/docs/install/); in the sandbox, "
        '`eval "$(make -s env)"` puts it on PATH.'
    )
