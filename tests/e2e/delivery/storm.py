"""Pushes, deletions and re-creations of branches at once, with random kills; then the world is what git says."""

import json
import random
import shutil
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e.delivery.everything import Everything
from tests.e2e.delivery.killing import victim
from tests.e2e.delivery.pushing import Pushing
from tests.e2e.program.checkout import Checkout, Finished, page

DEATHS = 0.25
"""How many of the runs are killed."""

BETWEEN = 8.0
"""Seconds between two events at most: shorter than a deployment, so that events meet what runs at every stage."""


@dataclass(frozen=True)
class Job:
    """What a pipeline starts for one event: the wrapper, in a clone of its own."""

    ref: str
    clone: Path
    dies_after: int | None
    """Engine events; None: it lives."""


@dataclass
class Storm:
    """The branches of one remote, and what git says of them."""

    it: Pushing
    folder: Path
    refs: list[str]
    tips: dict[str, str] = field(default_factory=dict)
    gone: dict[str, str] = field(default_factory=dict)
    """Where deleted branches were: who restores one gives it the same commit."""
    number: int = 0
    said: dict[str, str] = field(default_factory=dict)
    """What the last run of each branch printed."""

    def round(self, dice: random.Random, most: int) -> None:
        """So many events at most, each while earlier jobs run; then every branch is as its last event says."""
        jobs: list[Job] = []
        with ThreadPoolExecutor(most) as threads:
            running: list[Future[Finished | None]] = []
            for _ in range(dice.randint(2, most)):
                jobs.append(self._event(dice.choice(self.refs), dice))
                running.append(threads.submit(self._run, jobs[-1]))
                wait(running, timeout=dice.uniform(0, BETWEEN))
            finished = [it.result() for it in running]
        last = {job.ref: (job, done) for job, done in zip(jobs, finished, strict=True)}
        # A killed pipeline is run again by somebody, and nothing else is done about it.
        for job, done in last.values():
            if done is None:
                done = self._wrapper(Job(job.ref, job.clone, None))
            assert done is not None
            assert done.ok, f"{job.ref}:\n{done.output}"
            self.said[job.ref] = done.output
        for job in jobs:
            shutil.rmtree(job.clone)
        self.check()

    def _event(self, ref: str, dice: random.Random) -> Job:
        """A push or a deletion, and the job that a CI starts for it."""
        self.number += 1
        if ref in self.tips and dice.random() < 0.3:
            self.it.delete(ref)
            commit = self.gone[ref] = self.tips.pop(ref)
        elif ref not in self.tips and ref in self.gone and dice.random() < 0.5:
            commit = self.tips[ref] = self.gone.pop(ref)
            self.it.restore(ref, commit)
        else:
            self.it.switch(ref)
            path = self.it.path / "app" / "web.py"
            path.write_text(path.read_text() + f"# event {self.number}\n")
            commit = self.tips[ref] = self.it.push(ref, f"event {self.number}")
        clone = self.folder / f"job-{self.number}"
        subprocess.run(["git", "clone", "--quiet", "--shared", str(self.it.path), str(clone)], check=True)
        subprocess.run(["git", "-C", str(clone), "checkout", "--quiet", "--detach", commit], check=True)
        (clone / ".venv").symlink_to(Path(sys.prefix))
        return Job(ref, clone, dice.randint(1, 40) if dice.random() < DEATHS else None)

    def _run(self, job: Job) -> Finished | None:
        """The job; None when it was killed."""
        if job.dies_after is None:
            return self._wrapper(job)
        environ = self._environ(job)
        with victim(["deploytag", "ci", "--verbose"], job.clone, environ) as run:
            if run.after(job.dies_after):
                run.kill_all()
                return None
            return Finished(run.wait(), "".join(run.output))

    def _wrapper(self, job: Job) -> Finished:
        return Checkout(job.clone, self._environ(job)).run("deploytag", "ci", timeout=900)

    def _environ(self, job: Job) -> dict[str, str]:
        # To its clone `origin` is the checkout, where a branch stays that is deleted on the remote.
        told = {"DEPLOYTAG_BRANCH": job.ref, "DEPLOYTAG_REMOTE": str(self.it.remote)}
        return {**self.it.checkout.environ, **told}

    def check(self) -> None:
        """No zombie, no orphan, no lost branch."""
        rows = {row["ref"]: row for row in self._rows()}
        everything = Everything.now(self.it.checkout.environ)
        for ref in self.refs:
            if ref in self.tips:
                assert ref in rows, f"{ref} was lost"
                shown = page(rows[ref]["url"])
                assert (shown["ref"], shown["revision"]) == (ref, self.tips[ref])
            else:
                assert ref not in rows, f"{ref} is a zombie: {rows[ref]}\n{self.said[ref]}"
                # A run that came too late for a branch that was gone had its lease, and touched nothing.
                left = {it for it in everything.of(self.it.identity(ref)) if not it.startswith("lease")}
                assert left == set(), f"{ref} left {left}\n{self.said[ref]}"

    def _rows(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = json.loads(self.it.checkout.must("deploytag", "ls", "--json"))
        return rows
