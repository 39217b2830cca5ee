"""The pipelines that `deploytag init` writes, run as their vendors run them: each job in a checkout of its own.

What is not run are the vendors' actions and images: they bring what this machine has, git, Pulumi, Helm and a builder.
"""

import json
import re
import shlex
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ruamel.yaml import YAML

from tests.e2e.program.checkout import Checkout
from tests.unit.initialise.expressions import condition, evaluate
from tests.unit.initialise.test_pipelines import gitlab_job

TIMEOUT = 420
CREDENTIALS = re.compile(r"(KUBECONFIG|PULUMI_|AWS_|PG|BUILD|DOCKER_|PATH$|SANDBOX_)")
"""What a pipeline has to be given for its jobs: all that leads to the sandbox."""


class Vendor(Protocol):
    """A CI, or a git server. What a run says is returned."""

    def pushed(self, ref: str) -> str:
        """The application's commit is pushed to the branch."""
        ...

    def deleted(self, ref: str) -> str:
        """The branch is deleted."""
        ...

    def delete_unnoticed(self, ref: str) -> None:
        """The branch is deleted, and the event is lost."""
        ...

    def nightly(self) -> str:
        """The clock asks for what a lost event left."""
        ...


@dataclass
class Jobs:
    """What both CIs do for a job."""

    application: Checkout
    folder: Path

    @property
    def origin(self) -> Path:
        return self.folder / "origin.git"

    @property
    def given(self) -> dict[str, str]:
        """The credentials, as somebody entered them into the CI's settings."""
        return {name: value for name, value in self.application.environ.items() if CREDENTIALS.match(name)}

    @property
    def machine(self) -> dict[str, str]:
        """What a runner has without them."""
        return {
            name: value
            for name, value in self.application.environ.items()
            if name == "PATH" or not CREDENTIALS.match(name)
        }

    def checkout(self, revision: str) -> Path:
        """What `actions/checkout` and GitLab's runner leave: one commit, detached, its remote `origin`."""
        work = Path(tempfile.mkdtemp(prefix="job-", dir=self.folder))
        for command in (
            ("init", "--quiet"),
            ("remote", "add", "origin", str(self.origin)),
            ("fetch", "--quiet", "--depth", "1", "origin", revision),
            ("checkout", "--quiet", "--detach", "FETCH_HEAD"),
        ):
            subprocess.run(["git", *command], cwd=work, check=True)
        return work

    def tip(self, ref: str) -> str:
        return self.git("rev-parse", f"refs/heads/{ref}")

    def git(self, *arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=self.origin, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def push(self, ref: str) -> None:
        self.application.must("git", "push", "--quiet", "origin", f"HEAD:refs/heads/{ref}")

    def delete_unnoticed(self, ref: str) -> None:
        self.application.must("git", "push", "--quiet", "origin", f":refs/heads/{ref}")

    def pipeline(self, path: str) -> dict[str, Any]:
        loaded: dict[str, Any] = YAML(typ="safe", pure=True).load((self.application.path / path).read_text())
        return loaded


def run(command: list[str], cwd: Path, environ: Mapping[str, str]) -> str:
    """A command that has to succeed; output and errors together."""
    done = Checkout(cwd, dict(environ)).run(*command, timeout=TIMEOUT)
    assert done.ok, f"{command[:2]} ended with {done.code}:\n{done.output}"
    return done.output


class GitHub(Jobs):
    """GitHub Actions: the step's shell, with the environment that its expressions make of an event."""

    def pushed(self, ref: str) -> str:
        self.push(ref)
        return self.job("push", {"ref": f"refs/heads/{ref}"}, ref, self.tip(ref), "deploytag-feature")

    def deleted(self, ref: str) -> str:
        self.delete_unnoticed(ref)
        return self.job("delete", {"ref": ref, "ref_type": "branch"}, "main", self.tip("main"), "deploytag-feature")

    def nightly(self) -> str:
        schedule = self.workflow["on"]["schedule"][0]["cron"]
        return self.job("schedule", {"schedule": schedule}, "main", self.tip("main"), "deploytag.gc")

    def hourly(self, environment: str) -> str:
        """The sync of one class."""
        schedule = self.workflow["on"]["schedule"][1]["cron"]
        return self.job("schedule", {"schedule": schedule}, "main", self.tip("main"), environment)

    def closed(self, ref: str) -> str:
        """The run of a pull request of that branch which was closed."""
        head = {"ref": ref, "sha": self.tip(ref), "repo": {"full_name": "acme/shop"}}
        event = {
            "action": "closed",
            "pull_request": {"merged": True, "head": head, "base": {"repo": {"full_name": "acme/shop"}}},
        }
        return self.job("pull_request", event, "main", self.tip("main"), "deploytag-feature", head_ref=ref)

    @property
    def workflow(self) -> dict[str, Any]:
        return self.pipeline(".github/workflows/deploytag.yml")

    def job(
        self, name: str, event: dict[str, Any], ref_name: str, sha: str, environment: str, head_ref: str = ""
    ) -> str:
        """What the job says that GitHub makes of the event for this environment."""
        event |= {"repository": {"full_name": "acme/shop", "default_branch": "main"}}
        github: dict[str, Any] = {
            **{"event_name": name, "event": event, "ref_name": ref_name, "sha": sha, "head_ref": head_ref},
            **{"repository": "acme/shop", "actor": "somebody"},
        }
        (job,) = [it for it in self.workflow["jobs"].values() if condition(it["if"], github=github)]
        assert environment in evaluate(job["strategy"]["matrix"]["environment"], github=github)
        (checkout,) = [it for it in job["steps"] if it.get("uses", "").startswith("actions/checkout@")]
        work = self.checkout(evaluate(checkout["with"]["ref"], github=github))
        (step,) = [it for it in job["steps"] if "run" in it]
        temporary = Path(tempfile.mkdtemp(prefix="runner-", dir=self.folder))
        (temporary / "event.json").write_text(json.dumps(event))
        (temporary / "script.sh").write_text(step["run"])
        entered = self.given | {"DEPLOYTAG_KUBECONFIG": Path(self.given["KUBECONFIG"]).read_text()}
        contexts: dict[str, dict[str, Any]] = {
            "github": github,
            "secrets": entered,
            "vars": entered,
            "matrix": {"environment": environment},
        }
        said = {key: evaluate(value, **contexts) for key, value in step["env"].items()}
        # What the actions before this step leave in the environment: of AWS, and of the builder.
        by_actions = {
            key: value for key, value in self.given.items() if re.match(r"AWS_|BUILD|DOCKER_|PULUMI_HOME", key)
        }
        return run(
            ["bash", "-e", str(temporary / "script.sh")],
            work,
            self.machine
            | by_actions
            | {key: str(value).lower() if isinstance(value, bool) else value for key, value in said.items()}
            | {
                "CI": "true",
                "GITHUB_ACTIONS": "true",
                "GITHUB_EVENT_NAME": name,
                "GITHUB_EVENT_PATH": str(temporary / "event.json"),
                "GITHUB_REF": f"refs/pull/{ref_name}" if head_ref else f"refs/heads/{ref_name}",
                "GITHUB_REF_NAME": ref_name,
                "GITHUB_REF_TYPE": "branch",
                "GITHUB_HEAD_REF": head_ref,
                "GITHUB_SHA": sha,
                "GITHUB_REPOSITORY": "acme/shop",
                "GITHUB_OUTPUT": str(temporary / "output"),
                "GITHUB_STEP_SUMMARY": str(temporary / "summary.md"),
                "RUNNER_TEMP": str(temporary),
            },
        )


class GitLab(Jobs):
    """GitLab CI: a job's `before_script` and `script` in one shell, with its variables."""

    def pushed(self, ref: str) -> str:
        self.push(ref)
        work = self.checkout(self.tip(ref))
        said = self.job("deploytag:deploy:feature", work, ref, self.tip(ref), "push")
        assert re.search(r"^DEPLOYTAG_URL=http", (work / "deploytag.env").read_text(), re.M)
        return said

    def deleted(self, ref: str) -> str:
        sha = self.tip(ref)
        self.delete_unnoticed(ref)
        work = Path(tempfile.mkdtemp(prefix="job-", dir=self.folder))  # GIT_STRATEGY is none
        return self.job("deploytag:stop:feature", work, ref, sha, "push")

    def nightly(self) -> str:
        sha = self.tip("main")
        return self.job("deploytag:gc", self.checkout(sha), "main", sha, "schedule")

    def job(self, name: str, work: Path, ref: str, sha: str, source: str) -> str:
        """What the job says."""
        job = gitlab_job(self.pipeline(".gitlab/deploytag.yml"), name)
        script = "\n".join(["set -eo pipefail", *job["before_script"], *job["script"]])
        own = {
            "CI": "true",
            "GITLAB_CI": "true",
            "CI_PIPELINE_SOURCE": source,
            "CI_COMMIT_BRANCH": ref,
            "CI_COMMIT_REF_NAME": ref,
            "CI_COMMIT_REF_SLUG": re.sub(r"[^a-z0-9]", "-", ref.lower()),
            "CI_COMMIT_SHA": sha,
            "CI_DEFAULT_BRANCH": "main",
            "CI_PROJECT_ID": "7",
            "CI_PROJECT_DIR": str(work),
            "CI_REPOSITORY_URL": str(self.origin),
            "CI_ENVIRONMENT_ACTION": job["environment"].get("action", "start"),
            "DEPLOYTAG_AWS_TOKEN": "",
        }
        # A variable of the project is stronger than one of the file.
        return run(["bash", "-c", script], work, self.machine | job["variables"] | self.given | own)


class Server(Jobs):
    """A git server: the hook and the crontab, for which only `deploytag/environment` leads to the sandbox."""

    def set_up(self) -> None:
        """As the documentation says."""
        hooks, state = self.origin / "hooks", self.origin / "deploytag"
        hooks.mkdir(exist_ok=True)
        (hooks / "post-receive").write_text(self.git("show", "main:.deploytag/post-receive"))
        (hooks / "post-receive").chmod(0o755)
        state.mkdir(0o700)
        (state / "environment").write_text(
            "".join(f"{name}={shlex.quote(value)}\n" for name, value in self.given.items())
        )

    def pushed(self, ref: str) -> str:
        return run(["git", "push", "origin", f"HEAD:refs/heads/{ref}"], self.application.path, self.bare)

    def deleted(self, ref: str) -> str:
        return run(["git", "push", "origin", f":refs/heads/{ref}"], self.application.path, self.bare)

    def nightly(self) -> str:
        (command,) = re.findall(r"^\d+ 3 \* \* \* (.*)$", self.git("show", "main:.deploytag/crontab"), re.M)
        said = run(["sh", "-c", command], self.folder, self.bare | {"REPOSITORY": str(self.origin)})
        return said + (self.origin / "deploytag" / "gc.log").read_text()

    def delete_unnoticed(self, ref: str) -> None:
        self.git("update-ref", "-d", f"refs/heads/{ref}")

    @property
    def bare(self) -> dict[str, str]:
        """Of whoever pushes, and of cron: nothing that leads to the sandbox."""
        return self.machine | {"PATH": "/usr/local/bin:/usr/bin:/bin"}
