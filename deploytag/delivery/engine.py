"""Pulumi's commands on one stack, as events in and a result out."""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from deploytag.administrator import in_own_session
from deploytag.delivery.events import Diagnostic, Event, Step, parse
from deploytag.delivery.processes.cancellation import Cancellation
from deploytag.delivery.processes.children import Children, Finished
from deploytag.errors import DeploymentError, InterruptedRunError, UnreachableError

OnEvent = Callable[[Event], None]

ALWAYS = {
    "PULUMI_SKIP_UPDATE_CHECK": "true",
    # A fresh runner has no `Pulumi.<stack>.yaml` with the salt: the state has it too (pulumi#8408).
    "PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER": "true",
}


TELLING = ("PULUMI_DEBUG_GRPC", "TF_LOG")
"""Variables by which the engine and its providers write whole requests and answers, secret values in clear, into a log.
Who needs that calls `pulumi` by hand."""


class HoldsEngines(Protocol):
    """Where it is written down that an engine runs, before it does: the lease."""

    def engine_started(self, pid: int) -> None:
        """Note an engine of this run."""


@dataclass(frozen=True, slots=True)
class EngineResult:
    """How one operation ended."""

    code: int
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


SECRETS_PROVIDER = "DEPLOYTAG_SECRETS_PROVIDER"
"""The variable with what encrypts the secrets in the state of a new stack, such as `awskms://alias/state`. Pulumi takes
it only when a stack is made, and with a state of one's own a passphrase unless it is said."""


@dataclass(frozen=True, slots=True)
class Engine:
    """Pulumi on one stack; every process it starts is held by the run."""

    stack: str
    folder: Path
    """Where Pulumi.yaml is and, for what runs it, the program."""
    children: Children
    environ: Mapping[str, str]
    held: HoldsEngines
    cancellation: Cancellation
    on_event: OnEvent

    def ensure_stack(self) -> None:
        """Make the stack when it is new: `up` alone does not, without a terminal.

        Raises:
            DeploymentError: it cannot be made.
        """
        provider = self.environ.get(SECRETS_PROVIDER)
        self._must("stack", "select", "--create", self.stack, *(("--secrets-provider", provider) if provider else ()))

    def up(self) -> EngineResult:
        """Converge on what the program declares."""
        return self._operate("up")

    def preview(self) -> tuple[EngineResult, tuple[Step, ...]]:
        """What `up` would do, and what it would do to each resource. Nothing is touched."""
        steps: list[Step] = []

        def note(event: Event) -> None:
            if isinstance(event, Step):
                steps.append(event)

        reader = _Reader(note)
        # Otherwise `preview --json` prints one document at its end, in another form.
        streaming = replace(self, environ={**self.environ, "PULUMI_ENABLE_STREAMING_JSON_PREVIEW": "true"})
        finished = streaming._run("preview", "--json", "--stack", self.stack, read=reader.read)
        return reader.result(finished.code), tuple(steps)

    def destroy(self) -> EngineResult:
        """Remove every resource of the state; neither what was removed by hand before nor that there is no stack is an
        obstacle."""
        result = self._operate("destroy", "--refresh")
        return EngineResult(0) if not result.ok and self._no_stack in result.complaint else result

    def refresh(self, *, clear_pending: bool, exclude: Sequence[str] = ()) -> None:
        """Let the state say what is there.

        Raises:
            DeploymentError: it cannot be told.
        """
        options = [*(["--clear-pending-creates"] if clear_pending else []), *(f"--exclude={urn}" for urn in exclude)]
        result = self._operate("refresh", *options)
        if not result.ok:
            raise DeploymentError(f"the state of {self.stack} could not be refreshed: {result.complaint}")

    def creations(self) -> dict[str, Any]:
        """Everything that the next `up` would create, in the form that `adopt` takes.

        Raises:
            DeploymentError: the program does not run.
        """
        with TemporaryDirectory() as folder:
            path = Path(folder) / "creations.json"
            self._must("preview", "--stack", self.stack, f"--import-file={path}")
            creations: dict[str, Any] = json.loads(path.read_text())
        return creations

    def adopt(self, resources: Mapping[str, Any]) -> None:
        """Take resources that exist into the state.

        Raises:
            DeploymentError: one of them is not there, or is another than the program declares.
        """
        with TemporaryDirectory() as folder:
            path = Path(folder) / "imports.json"
            path.write_text(json.dumps(resources))
            options = ["--yes", "--skip-preview", "--protect=false", "--generate-code=false", f"--file={path}"]
            self._must("import", "--stack", self.stack, *options)

    def state(self) -> dict[str, Any] | None:
        """What `pulumi stack export` says; None: there is no such stack.

        Raises:
            UnreachableError: the backend did not say. An environment whose state is not known is not one without state.
            InterruptedRunError: the run was asked to end meanwhile.
        """
        with TemporaryDirectory() as folder:
            # To a file: what is printed holds warnings too, and only the end of it is kept.
            path = Path(folder) / "state.json"
            finished = self._run("stack", "export", "--stack", self.stack, f"--file={path}")
            if self.cancellation.requested:
                raise InterruptedRunError(
                    f"stopped by {self.cancellation.reason} before the state of {self.stack} was read. Run it again."
                )
            if finished.code and self._no_stack in finished.output:
                return None
            if finished.code:
                raise UnreachableError(
                    f"the state of {self.stack} could not be read: {_said(finished)}. Nothing was touched since; run "
                    "it again when the backend answers."
                )
            state: dict[str, Any] = json.loads(path.read_bytes())
        return state

    def unprotect(self) -> None:
        """Lift the protection of every resource.

        Raises:
            DeploymentError: the state cannot be written.
        """
        self._must("state", "unprotect", "--all", "--yes", "--stack", self.stack)

    def remove_stack(self) -> None:
        """Forget the stack, whatever its state still holds; that there is none is no error.

        Raises:
            DeploymentError: the backend does not let it go.
        """
        command = ("stack", "rm", "--yes", "--force", "--preserve-config", "--stack", self.stack)
        finished = self._run(*command)
        if self._no_stack not in finished.output:
            self._succeeded(finished, command)

    @property
    def _no_stack(self) -> str:
        """What a command fails with when there is no such stack; by its exit code it could be any failure."""
        return f"no stack named '{self.stack}' found"

    def _must(self, *arguments: str) -> None:
        self._succeeded(self._run(*arguments), arguments)

    def _succeeded(self, finished: Finished, arguments: Sequence[str]) -> None:
        if finished.code:
            raise DeploymentError(f"`pulumi {arguments[0]}` failed on {self.stack}: {_said(finished)}")

    def _operate(self, *arguments: str) -> EngineResult:
        reader = _Reader(self.on_event)
        finished = self._run(*arguments, "--yes", "--skip-preview", "--json", "--stack", self.stack, read=reader.read)
        return reader.result(finished.code)

    def _run(self, *arguments: str, read: Callable[[str], None] | None = None) -> Finished:
        quiet = {name: it for name, it in self.environ.items() if not name.startswith(TELLING)}
        return self.children.run(
            [_pulumi(), *arguments, "--non-interactive"],
            cwd=self.folder,
            environ=in_own_session({**quiet, **ALWAYS}),
            on_line=read,
            on_pid=self.held.engine_started,
            cancellation=self.cancellation,
        )


def write_project(folder: Path, project: str) -> None:
    """Make `folder` enough of a Pulumi project for what works from state alone: the runtime is never started."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "Pulumi.yaml").write_text(json.dumps({"name": project, "runtime": "python"}))


SAYS_NOTHING = (
    "an unhandled error occurred: program exited with non-zero exit code: 1",
    "update failed",
)
"""What the engine adds to every failure."""


class _Reader:
    """Collects the result of a command from the lines it prints."""

    def __init__(self, on_event: OnEvent) -> None:
        self._on_event = on_event
        self._errors: list[str] = []
        self._other: list[str] = []
        self._outputs: Mapping[str, Any] = {}

    def read(self, line: str) -> None:
        event = parse(line)
        match event:
            case None:
                if not line.startswith("{"):
                    self._other = [*self._other[-20:], line]
                return
            case Diagnostic(severity="error", message=message, status=False) if message not in (
                *self._errors,
                *SAYS_NOTHING,
            ):
                self._errors.append(message)
            case Step(outputs=outputs) if outputs is not None:
                self._outputs = outputs
        self._on_event(event)

    def result(self, code: int) -> EngineResult:
        return EngineResult(code, self._outputs, tuple(self._errors), "\n".join(self._other))


def _said(finished: Finished) -> str:
    return finished.output.strip().removeprefix("error: ") or f"pulumi ended with exit code {finished.code}"


def _pulumi() -> str:
    if found := shutil.which("pulumi"):
        return found
    raise UnreachableError(
        "there is no pulumi command on PATH. Install Pulumi (https://www.pulumi.com/docs/install/); in the sandbox, "
        '`eval "$(make -s env)"` puts it on PATH.'
    )
