"""Small Pulumi programs, run by the real engine against the services of the sandbox.

Every test gets a project, a state and a stack of its own in a temporary directory. The tests assert what is documented
of the official plugins, so that they pass with either plugin set.
"""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

STACK = "test"
_LIMIT = 180
# The plugins are there; looking through the Python environment for missing ones takes half a second.
_QUICK = ("--skip-plugin-pre-install",)
# How the engine marks a secret in a state.
_SECRET = "1b47061264138c4ac30d75fd1eb44270"


@dataclass(frozen=True)
class Result:
    """How one `pulumi` command ended."""

    code: int
    output: str
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether it succeeded."""
        return self.code == 0

    @property
    def changes(self) -> dict[str, int]:
        """What the summary says: `{"created": 2, "unchanged": 1}`; the stack itself is one of them."""
        _, _, summary = self.output.rpartition("Resources:")
        counted = re.findall(r"^ +(?:\+\+|\+-|-\+|[-+~=]|)\s*(\d+) (?:to )?([a-z]+)", summary, re.MULTILINE)
        return {what: int(number) for number, what in counted}


@dataclass
class Engine:
    """A Pulumi project in a directory."""

    directory: Path
    environment: dict[str, str] = field(default_factory=dict)
    abandoned: bool = False
    """Whether something else takes away what the test made, so that nobody needs to destroy it."""

    @property
    def variables(self) -> dict[str, str]:
        """The environment of every command: the sandbox's, with a backend of the test's own."""
        own = {
            "PULUMI_BACKEND_URL": f"file://{self.directory / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": "test",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }
        return {**os.environ, **own, **self.environment}

    def program(self, text: str) -> None:
        """Write the program."""
        (self.directory / "__main__.py").write_text(text)

    def create(self) -> None:
        """Make the project and its stack."""
        (self.directory / "state").mkdir(parents=True)
        # No virtualenv is named, so the language host takes the `python3` on PATH: this one.
        (self.directory / "Pulumi.yaml").write_text("name: e2e\nruntime: python\n")
        self.must("stack", "init", STACK)

    def pulumi(self, *arguments: str) -> Result:
        """Run one command."""
        with self.start(*arguments) as running:
            return running.wait()

    def must(self, *arguments: str) -> str:
        """Run one command that has to succeed, and return what it printed."""
        result = self.pulumi(*arguments)
        assert result.ok, result.output
        return result.output

    @contextmanager
    def start(self, *arguments: str) -> Iterator["Running"]:
        """Start a command and leave it running."""
        child = subprocess.Popen(
            ["pulumi", "--non-interactive", "--color", "never", *arguments],
            cwd=self.directory,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        running = Running(child, time.monotonic())
        try:
            yield running
        finally:
            if child.poll() is None:
                child.kill()
            child.communicate()

    def up(self, *arguments: str) -> Result:
        """Deploy without a preview."""
        return self.pulumi("up", "--yes", "--skip-preview", *_QUICK, "--stack", STACK, *arguments)

    def preview(self, *arguments: str) -> Result:
        """Preview."""
        return self.pulumi("preview", *_QUICK, "--stack", STACK, *arguments)

    def refresh(self) -> Result:
        """Take note of what is there."""
        return self.pulumi("refresh", "--yes", "--skip-preview", "--stack", STACK)

    def destroy(self) -> Result:
        """Delete everything."""
        return self.pulumi("destroy", "--yes", "--skip-preview", "--stack", STACK)

    def config(self, key: str, value: str) -> None:
        """Set a config value."""
        self.must("config", "set", "--stack", STACK, key, value)

    def outputs(self, *, show_secrets: bool = False) -> dict[str, Any]:
        """Return the stack's outputs; secrets are masked unless asked for."""
        if not show_secrets:
            stack = next(each for each in self.resources().values() if each["type"] == "pulumi:pulumi:Stack")
            masked: dict[str, Any] = _masked(stack.get("outputs", {}))
            return masked
        text = self.must("stack", "output", "--json", "--show-secrets", "--stack", STACK)
        # Warnings come first; JSON is what ends the output.
        result: dict[str, Any] = json.loads(text[text.index("{") :])
        return result

    def export(self) -> str:
        """Return the state as it is on disk. Reading the file takes no time; `pulumi stack export` half a second."""
        return (self.directory / "state" / ".pulumi" / "stacks" / "e2e" / f"{STACK}.json").read_text()

    def resources(self) -> dict[str, dict[str, Any]]:
        """Return the resources in the state, by logical name."""
        latest = json.loads(self.export())["checkpoint"]["latest"] or {}
        return {each["urn"].split("::")[-1]: each for each in latest.get("resources", [])}


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        return "[secret]" if _SECRET in value.values() else {key: _masked(child) for key, child in value.items()}
    return [_masked(child) for child in value] if isinstance(value, list) else value


@dataclass
class Running:
    """A command that runs."""

    child: "subprocess.Popen[str]"
    started: float

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        self.child.send_signal(signal.SIGINT)

    def wait(self, limit: float = _LIMIT) -> Result:
        """Wait for its end."""
        output, _ = self.child.communicate(timeout=limit)
        return Result(self.child.returncode, output, time.monotonic() - self.started)


def eventually(condition: Callable[[], object], limit: float = 30) -> None:
    """Wait until something that nobody announces is so."""
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline, f"not so within {limit} s"
        time.sleep(0.1)
