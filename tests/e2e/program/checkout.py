"""A checkout of its own for each test: a copy of this repository's working tree, and plain `pulumi` on it."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from deploytag.identity import Identity, identify

REPOSITORY = Path(__file__).parents[3]
PROJECT = "shop"
TIMEOUT = 300
"""Seconds one `pulumi` command may take before the test gives up on it."""


@dataclass(frozen=True)
class Finished:
    """What a command printed and how it ended."""

    code: int
    output: str

    @property
    def ok(self) -> bool:
        return self.code == 0


@dataclass
class Checkout:
    """A git repository with the sample application, whose files a test may edit; its policy is outside of it."""

    path: Path
    environ: dict[str, str]
    stacks: list[str] = field(default_factory=list)

    def run(self, *command: str, environ: Mapping[str, str] | None = None, timeout: float = TIMEOUT) -> Finished:
        """Run a command in the checkout; output and errors together, as a person sees them."""
        done = subprocess.run(
            command,
            cwd=self.path,
            env={**self.environ, **(environ or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )
        return Finished(done.returncode, done.stdout)

    def must(self, *command: str, environ: Mapping[str, str] | None = None) -> str:
        """Run a command that has to succeed, and return what it printed."""
        done = self.run(*command, environ=environ)
        assert done.ok, f"{' '.join(command)} ended with {done.code}:\n{done.output}"
        return done.output

    def stack(self, ref: str) -> Identity:
        """Make the branch's stack, as the README says."""
        identity = identify(PROJECT, ref)
        self.must("pulumi", "stack", "select", "--create", identity.stack)
        self.must("pulumi", "config", "set", "branch", ref, "--stack", identity.stack)
        self.stacks.append(identity.stack)
        return identity

    def up(self, identity: Identity, *arguments: str, environ: Mapping[str, str] | None = None) -> Finished:
        """`pulumi up` without a question."""
        command = ("pulumi", "up", "--yes", "--skip-preview", "--stack", identity.stack, *arguments)
        return self.run(*command, environ=environ)

    def changes(self, identity: Identity) -> set[str]:
        """`pulumi up` that has to succeed; the logical names of the resources it changed."""
        done = self.up(identity, "--json")
        assert done.ok, done.output
        return changed_resources(done.output)

    def outputs(self, identity: Identity) -> dict[str, Any]:
        """The stack's outputs."""
        outputs: dict[str, Any] = json.loads(
            self.must("pulumi", "stack", "output", "--json", "--stack", identity.stack)
        )
        return outputs

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace text in a file; the text has to be there."""
        path = self.path / name
        content = path.read_text()
        assert old in content, f"{name} does not contain {old!r}"
        path.write_text(content.replace(old, new, 1))

    def policy(self, **changes: Any) -> None:
        """Change the class `feature` of the policy."""
        policy = self.read_policy()
        policy["classes"]["feature"].update(changes)
        self.write_policy(policy)

    @property
    def policy_file(self) -> Path:
        """The policy that is in force for commands of this checkout."""
        return self.path.with_name(f"{self.path.name}.policy.yaml")

    def read_policy(self) -> dict[str, Any]:
        """Its content."""
        policy: dict[str, Any] = yaml.safe_load(self.policy_file.read_text())
        return policy

    def write_policy(self, policy: Mapping[str, Any]) -> None:
        """Put another in its place."""
        self.policy_file.write_text(yaml.safe_dump(dict(policy)))

    def close(self) -> None:
        """Destroy whatever the test deployed."""
        for stack in self.stacks:
            done = self.run("pulumi", "destroy", "--yes", "--skip-preview", "--refresh", "--stack", stack)
            assert done.ok, f"{stack} could not be destroyed:\n{done.output}"
            self.must("pulumi", "stack", "rm", "--yes", "--remove-backups", stack)


@contextlib.contextmanager
def checkout(folder: Path) -> Iterator[Checkout]:
    """A copy of the working tree's tracked files as a repository of its own with one commit on `main`."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=True, text=True
    ).stdout.split("\0")
    for name in filter(None, listed):
        source, target = REPOSITORY / name, folder / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
    (folder / ".venv").symlink_to(Path(sys.prefix))
    it = Checkout(folder, sandbox_environ())
    shutil.copy(REPOSITORY / "deploytag.policy.yaml", it.policy_file)
    it.environ["DEPLOYTAG_POLICY"] = str(it.policy_file)
    it.must("git", "init", "--quiet", "--initial-branch", "main")
    it.must("git", "add", "--all")
    it.must("git", "-c", "user.name=e2e", "-c", "user.email=e2e@example.com", "commit", "--quiet", "-m", "start")
    try:
        yield it
    finally:
        it.close()


CI_VARIABLES = re.compile(
    r"^(CI|CI_.*|GITHUB_.*|GITLAB_.*|JENKINS_.*|BUILDKITE.*|DEPLOYTAG_(BRANCH|POLICY|REMOTE|REVISION))$"
)


def sandbox_environ() -> dict[str, str]:
    """The environment of `make env`, without variables that would name another branch, remote or policy."""
    environ = {name: value for name, value in os.environ.items() if not CI_VARIABLES.match(name)}
    return environ | {"KUBECONFIG": environ["WRAPPER_KUBECONFIG"]}


def become_administrator() -> None:
    """What is tested gets the wrapper's own rights (`sandbox_environ`); the tests look, and break things, with all.

    A worker of pytest-xdist inherits both variables.
    """
    os.environ.setdefault("WRAPPER_KUBECONFIG", os.environ.get("KUBECONFIG", ""))
    os.environ["KUBECONFIG"] = os.environ.get("SANDBOX_ADMIN_KUBECONFIG", os.environ["WRAPPER_KUBECONFIG"])


def administrator() -> dict[str, str]:
    """The variable that makes `kubectl` an administrator's; what is tested has the wrapper's rights only."""
    return {"KUBECONFIG": os.environ["KUBECONFIG"]}


def changed_resources(events: str) -> set[str]:
    """The logical names of custom resources that were created, updated, replaced or deleted, from `up --json`."""
    changed = set()
    for line in events.splitlines():
        if not line.startswith("{"):
            continue
        metadata = json.loads(line).get("resOutputsEvent", {}).get("metadata", {})
        if metadata.get("op") in {"create", "update", "replace", "create-replacement", "delete", "delete-replaced"}:
            urn: str = metadata["urn"]
            if "deploytag:index:" not in metadata["type"] and "pulumi:" not in metadata["type"]:
                changed.add(urn.rsplit("::", 1)[1])
    return changed


def page(url: str) -> dict[str, Any]:
    """What the sample application says of itself at `/`."""
    answer = httpx.get(url, timeout=10)
    answer.raise_for_status()
    content: dict[str, Any] = answer.json()
    return content


def page_in_the_end(url: str, shows: Callable[[dict[str, Any]], bool] = bool) -> dict[str, Any]:
    """The page, once it shows that; for what a plain `pulumi up` made.

    Helm waits until the newest pods are ready: the old ones go after that, and nodes learn of both a moment later.
    That an address answers at once, and with what is newest, is promised by the wrapper.

    Raises:
        AssertionError: it did not within 15 s; with the page that was there last.
        httpx.TransportError: nothing listened there until then.
    """
    found: dict[str, Any] = {}
    for attempt in Retrying(
        retry=retry_if_exception_type((httpx.TransportError, AssertionError)),
        stop=stop_after_delay(15),
        wait=wait_fixed(0.2),
        reraise=True,
    ):
        with attempt:
            found = page(url)
            assert shows(found), found
    return found
