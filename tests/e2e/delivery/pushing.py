"""A checkout with a git remote of its own, from which `deploytag` deploys as a pipeline would."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from deploytag.identity import Identity, identify
from tests.e2e.program.checkout import PROJECT, Checkout, Finished, checkout
from tests.schemas import fits

LEASE = 15
"""Seconds after which a dead run is taken over in these tests."""


@dataclass
class Pushing:
    """A checkout whose branches are pushed to a bare repository beside it."""

    checkout: Checkout
    remote: Path

    @property
    def path(self) -> Path:
        return self.checkout.path

    def small(self, **policy: Any) -> None:
        """Leave of the sample application only what a deployment needs: a web pod, and what the class says."""
        path = self.path / "deploytag.yaml"
        settings = yaml.safe_load(path.read_text())
        settings["tests"] = None
        off = {name: {"enabled": False} for name in ("redis", "worker", "clean")}
        settings["chart"]["values"] = off
        path.write_text(yaml.safe_dump(settings))
        self.checkout.policy(**policy)

    def switch(self, ref: str) -> None:
        """Check the branch out; a new one begins where the checkout is."""
        if self.git("rev-parse", "--abbrev-ref", "HEAD") != ref:
            known = self.git("rev-parse", "--verify", "--quiet", f"refs/heads/{ref}", check=False)
            self.git("switch", "--quiet", *([] if known else ["--create"]), ref)

    def push(self, ref: str, message: str = "a push") -> str:
        """Commit whatever was edited on the branch `ref`, push it, and return the commit. It stays checked out."""
        git = self.git
        self.switch(ref)
        git("add", "--all")
        git("commit", "--quiet", "--allow-empty", "-m", message)
        git("push", "--quiet", "--force", str(self.remote), f"{ref}:refs/heads/{ref}")
        return git("rev-parse", "HEAD")

    def delete(self, ref: str) -> None:
        """Delete the branch on the remote."""
        self.git("push", "--quiet", str(self.remote), f":refs/heads/{ref}")

    def restore(self, ref: str, commit: str) -> None:
        """Give a branch that was deleted on the remote back, at the same commit."""
        self.git("push", "--quiet", str(self.remote), f"{commit}:refs/heads/{ref}")

    def git(self, *arguments: str, check: bool = True) -> str:
        """Git in the checkout."""
        identity = ("-c", "user.name=e2e", "-c", "user.email=e2e@example.com")
        done = subprocess.run(
            ["git", *identity, *arguments], cwd=self.path, capture_output=True, text=True, check=check
        )
        return done.stdout.strip()

    def identity(self, ref: str) -> Identity:
        return identify(PROJECT, ref)

    def deploytag(self, *arguments: str, environ: Mapping[str, str] | None = None) -> Finished:
        """The command, its output and errors together."""
        return self.checkout.run("deploytag", *arguments, environ=environ)

    def report(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        """What a command that has to end with this code reports, in its published form."""
        done = subprocess.run(
            ["deploytag", *arguments, "--json"],
            cwd=self.path,
            env=self.checkout.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == code, f"deploytag {' '.join(arguments)} ended with {done.returncode}:\n{done.stderr}"
        report: dict[str, Any] = json.loads(done.stdout)
        fits(arguments[0], report)
        return report


@contextmanager
def pushing(folder: Path) -> Iterator[Pushing]:
    """A checkout and its remote; every branch that was pushed is destroyed at the end."""
    with checkout(folder / "shop") as it:
        remote = folder / "remote.git"
        subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch", "main", str(remote)], check=True)
        it.must("git", "config", "deploytag.remote", str(remote))
        it.write_policy(it.read_policy() | {"lease_seconds": LEASE})
        pushing = Pushing(it, remote)
        pushing.push("main", "settings of the test")
        try:
            yield pushing
        finally:
            refs = pushing.git("for-each-ref", "--format=%(refname:strip=2)", "refs/heads").split()
            for ref in refs:
                if ref != "main":
                    done = pushing.deploytag("destroy", ref)
                    assert done.ok, done.output
