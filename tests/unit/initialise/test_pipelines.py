"""The pipelines: valid by the vendors' own schemas, and their shell run with everything they call recorded."""

import json
import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from packaging.requirements import Requirement
from ruamel.yaml import YAML

from deploytag.delivery.doctor import tools
from deploytag.delivery.initialise import Answers, Pipeline, Target
from deploytag.delivery.initialise.render import HELM_VERSION
from deploytag.delivery.initialise.render import files as rendered
from deploytag.settings import ApplicationSettings, Policy

REPOSITORY = Path(__file__).parents[3]
REGISTRIES = ("ghcr.io/acme", "123456789012.dkr.ecr.eu-west-1.amazonaws.com", "registry.gitlab.com/acme/shop", "r:5000")


def text(
    path: str,
    pipeline: Pipeline,
    registry: str = "registry.test",
    project: str = "shop",
    policy: Policy | None = None,
) -> str:
    answers = Answers(
        project=project,
        registry=registry,
        builder="",
        target=Target("https://k", None),
        secrets=(),
        database_key=None,
        pipeline=pipeline,
        package="deploytag==0.1.0",
        application=ApplicationSettings(),
        policy=policy,
        chart="charts/app",
        port=8080,
        from_image="debian:bookworm-slim",
        own_dockerfile=False,
    )
    (found,) = [file.text for file in rendered(answers, skeleton=True) if str(file.path) == path]
    return found


def github(registry: str = "registry.test", project: str = "shop", policy: Policy | None = None) -> dict[str, Any]:
    # YAML 1.2, as GitHub has it: for 1.1 the key `on` is a truth value.
    loaded: dict[str, Any] = YAML(typ="safe", pure=True).load(
        text(".github/workflows/deploytag.yml", Pipeline.GITHUB, registry, project, policy)
    )
    return loaded


def steps() -> list[dict[str, Any]]:
    """Those of all of GitHub's jobs."""
    return [step for job in github()["jobs"].values() for step in job["steps"]]


def gitlab(registry: str = "registry.test", project: str = "shop", policy: Policy | None = None) -> dict[str, Any]:
    loaded: dict[str, Any] = YAML(typ="safe", pure=True).load(
        text(".gitlab/deploytag.yml", Pipeline.GITLAB, registry, project, policy)
    )
    return loaded


def gitlab_job(pipeline: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A job with what it extends; GitLab joins mappings and replaces everything else."""
    job: dict[str, Any] = pipeline[name]
    if "extends" not in job:
        return job
    base = gitlab_job(pipeline, job["extends"])
    both = base.keys() & job.keys()
    return base | job | {key: base[key] | job[key] for key in both if isinstance(job[key], dict)}


def vendor_schema(name: str) -> Any:
    return json.loads(files("check_jsonschema").joinpath("builtin_schemas", "vendor", f"{name}.json").read_text())


@pytest.mark.parametrize("project", ["shop", "a", "x-9_9.x"])
@pytest.mark.parametrize("registry", REGISTRIES)
def test_both_fit_the_vendors_schemas(registry: str, project: str) -> None:
    jsonschema.validate(github(registry, project), vendor_schema("github-workflows"))
    schema = vendor_schema("gitlab-ci")
    jsonschema.validate(gitlab(registry, project), schema)
    jsonschema.validate(YAML(typ="safe").load(text(".gitlab-ci.yml", Pipeline.GITLAB)), schema)


def test_github_looks_when_a_branch_may_have_changed() -> None:
    workflow = github()
    assert set(workflow["on"]) == {"push", "delete", "pull_request", "schedule", "workflow_dispatch"}
    assert workflow["on"]["pull_request"] == {"types": ["closed"]}
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert job["concurrency"]["cancel-in-progress"] is False
        assert job["permissions"] == {"contents": "read", "id-token": "write"}
        assert job["strategy"]["fail-fast"] is False, "one class's sync ends no other's"
    packages = {name: job["permissions"]["packages"] for name, job in github("ghcr.io/acme")["jobs"].items()}
    assert packages == {"deploytag": "write", "apart": "read"}
    minute, *rest = workflow["on"]["schedule"][0]["cron"].split()
    assert 0 <= int(minute) <= 59
    assert rest == ["3", "*", "*", "*"]
    # The other one, by which the job tells that it is to sync.
    hourly = workflow["on"]["schedule"][1]["cron"]
    assert re.fullmatch(r"\d+ \* \* \* \*", hourly)
    assert f"'{hourly}'" in workflow["jobs"]["deploytag"]["steps"][-1]["env"]["SYNC"]


def test_each_action_is_pinned_to_a_commit_with_its_version_beside_it() -> None:
    uses = re.findall(r"uses: (.*)", text(".github/workflows/deploytag.yml", Pipeline.GITHUB))
    assert len(uses) >= 5
    for line in uses:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line


def test_secrets_are_given_to_single_steps_and_never_written_into_commands() -> None:
    for registry in REGISTRIES:
        for job in github(registry)["jobs"].values():
            assert job.get("env", {}) in ({}, {"LOGIN": "${{ secrets.REGISTRY_USER != '' }}"}), "whether, and not what"
    for step in steps():
        assert "${{" not in step.get("run", ""), "an expression in a script is code that a branch's name could write"


def test_no_job_takes_what_another_branchs_job_left_in_a_cache() -> None:
    """Whose code runs in one job may write its cache, and the job that reads it runs that with its own credentials."""
    for step in steps():
        assert "cache" not in step.get("uses", "")
        if step.get("uses", "").startswith("docker/setup-buildx-action@"):
            assert step["with"] == {"cache-binary": False}
    pipeline = gitlab()
    assert pipeline[".deploytag"]["cache"] == [], "also one that .gitlab-ci.yml names for all jobs"
    assert not any("cache" in job for name, job in pipeline.items() if name != ".deploytag")


def test_gitlab_deploys_and_stops_one_branch_at_a_time() -> None:
    pipeline = gitlab()
    deploy, stop = (gitlab_job(pipeline, f"deploytag:{job}:bug") for job in ("deploy", "stop"))
    gc, sync = (gitlab_job(pipeline, f"deploytag:{job}") for job in ("gc", "sync:bug"))
    assert deploy["interruptible"] is False
    assert deploy["resource_group"] == stop["resource_group"] != gc["resource_group"]
    assert deploy["environment"]["on_stop"] == "deploytag:stop:bug"
    assert deploy["environment"]["name"] == stop["environment"]["name"]
    assert deploy["environment"]["url"] == "$DEPLOYTAG_URL"
    assert (stop["environment"]["action"], stop["variables"]["GIT_STRATEGY"]) == ("stop", "none")
    assert stop["rules"][-1]["allow_failure"] is True, "a manual job that blocks would keep the pipeline waiting"
    assert "schedule" in gc["rules"][-1]["if"]
    assert sync["rules"][0]["if"].endswith('$DEPLOYTAG_SCHEDULE == "sync"')
    assert gc["rules"][0] == {"if": '$DEPLOYTAG_SCHEDULE == "sync"', "when": "never"}


def test_helm_is_the_version_that_is_tested_here() -> None:
    module = (REPOSITORY / "sandbox/toolchain/helm/go.mod").read_text()
    assert re.search(r"helm\.sh/helm/v3 v(\S+)", module)[1] == HELM_VERSION  # type: ignore[index]


# --- the shell of the pipelines, run ----------------------------------------------------------------------------------


class Recorder:
    """Commands that write down how they were called."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log = folder / "bin", folder / "calls"
        self.folder.mkdir()
        self.environ = {"PATH": f"{self.folder}:/usr/bin:/bin", "HOME": str(folder), "LOG": str(self.log)}

    def add(self, name: str, script: str = "") -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'#!/bin/sh\nprintf "%s\\n" "${{0##*/}} $*" >> "$LOG"\n{script}\n')
        path.chmod(0o755)

    @property
    def calls(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []

    def run(self, shell: str, script: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [shell, "-e", "-c", script],
            cwd=cwd,
            env={**self.environ, **environ},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def recorder(tmp_path: Path) -> Recorder:
    return Recorder(tmp_path)


BIN = ".deploytag/venv/bin"
FAKE_PYTHON = 'case "$1" in -m) [ "$2" != venv ] || { mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; } ;; esac'
INSTALL = f'printf "#!/bin/sh\\necho deploytag \\$* >> $LOG\\n" > {BIN}/deploytag; chmod +x {BIN}/deploytag'


@pytest.fixture
def application(tmp_path: Path) -> Path:
    """A repository's folder with the script and its lock."""
    folder = tmp_path / "application"
    (folder / ".deploytag").mkdir(parents=True)
    (folder / ".deploytag" / "requirements.txt").write_text("httpx==0.28.1\n")
    (folder / ".deploytag" / "package.txt").write_text("deploytag==0.1.0\n")
    script = folder / "deploytag.sh"
    script.write_text(text("deploytag.sh", Pipeline.SHELL))
    script.chmod(0o755)
    return folder


def with_pip(recorder: Recorder) -> None:
    """A python3 whose pip installs a `deploytag` that writes down how it is called."""
    recorder.add("python3", FAKE_PYTHON + f'\ncase "$*" in *"pip install"*) {INSTALL} ;; esac')


def test_every_script_is_shell(application: Path) -> None:
    pipeline = gitlab(REGISTRIES[1])
    scripts = [step["run"] for step in steps() if "run" in step]
    scripts += [*pipeline[".deploytag"]["before_script"], *gitlab()[".deploytag"]["before_script"]]
    scripts += [line for job in pipeline.values() for line in job.get("script", [])]
    for script in scripts:
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    for shell in ("sh", "bash"):
        subprocess.run([shell, "-n", application / "deploytag.sh"], check=True)


def test_the_script_makes_its_environment_once_and_again_when_the_lock_changed(
    recorder: Recorder, application: Path
) -> None:
    with_pip(recorder)
    pip = "python -m pip install --quiet --disable-pip-version-check"
    install = [
        f"{pip} --require-hashes --requirement .deploytag/requirements.txt",
        f"{pip} --no-deps --no-build-isolation --requirement .deploytag/package.txt",
    ]

    def run(*arguments: str) -> list[str]:
        recorder.log.write_text("")
        done = subprocess.run(
            [application / "deploytag.sh", *arguments],
            cwd=application.parent,
            env=recorder.environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return [call for call in recorder.calls if "pip" in call or call.startswith("deploytag")]

    assert run() == [*install, "deploytag ci"]
    assert run("name", "feature/a b") == ["deploytag name feature/a b"]
    for name in ("requirements.txt", "package.txt"):
        (application / ".deploytag" / name).write_text("deploytag==0.2.0\n")
        assert run("doctor") == [*install, "deploytag doctor"]


def test_what_builds_deploytag_itself_is_in_the_lock() -> None:
    """Without an environment of its own for the build, pip takes what the lock installed, and fetches nothing."""
    needed = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["build-system"]["requires"]
    locked = tools.lock_versions(text(".deploytag/requirements.txt", Pipeline.SHELL))
    assert {Requirement(line).name for line in needed} <= locked.keys()


def test_an_installation_that_failed_is_made_anew(recorder: Recorder, application: Path) -> None:
    recorder.add("python3", FAKE_PYTHON + '\ncase "$*" in *"pip install"*) exit 1 ;; esac')
    done = recorder.run("sh", "./deploytag.sh", application)
    assert done.returncode == 1
    assert "installing .deploytag/requirements.txt failed" in done.stderr
    with_pip(recorder)
    assert recorder.run("sh", "./deploytag.sh", application).returncode == 0
    assert recorder.calls[-1] == "deploytag ci"


def test_uv_is_used_where_it_is(recorder: Recorder, application: Path) -> None:
    recorder.add("python3", FAKE_PYTHON)
    recorder.add(
        "uv",
        f'case "$1" in venv) mkdir -p {BIN}; cp "$0" {BIN}/python ;; pip) {INSTALL} ;; esac',
    )
    assert recorder.run("sh", "./deploytag.sh gc --yes", application).returncode == 0
    assert [call for call in recorder.calls if call.startswith(("uv", "deploytag"))] == [
        "uv venv --quiet --python python3 .deploytag/venv",
        "uv pip install --quiet --python .deploytag/venv/bin/python --require-hashes "
        "--requirement .deploytag/requirements.txt",
        "uv pip install --quiet --python .deploytag/venv/bin/python --no-deps --no-build-isolation "
        "--requirement .deploytag/package.txt",
        "deploytag gc --yes",
    ]


def test_without_a_package_it_is_a_sentence(recorder: Recorder, application: Path) -> None:
    (application / ".deploytag" / "package.txt").write_text("# nothing yet\n")
    done = recorder.run("sh", "./deploytag.sh ci", application)
    assert done.returncode == 1
    assert "package.txt names no DeployTag" in done.stderr
    assert recorder.calls == []


def test_without_python_it_is_a_sentence(recorder: Recorder, application: Path, tmp_path: Path) -> None:
    only = tmp_path / "only"
    only.mkdir()
    for name in ("sh", "dirname", "grep", "cmp", "flock", "rm", "cp", "env"):
        if path := shutil.which(name):
            (only / name).symlink_to(path)
    done = recorder.run("/bin/sh", "./deploytag.sh", application, PATH=str(only))
    assert (done.returncode, "Python 3.11 or newer is needed" in done.stderr) == (1, True)


def test_a_signal_reaches_deploytag_itself(recorder: Recorder, application: Path) -> None:
    """The script is replaced by the command, which then has the script's process id."""
    with_pip(recorder)
    assert recorder.run("sh", "./deploytag.sh", application).returncode == 0
    (application / ".deploytag/venv/bin/deploytag").write_text("#!/bin/sh\necho $$\n")
    process = subprocess.Popen(
        [application / "deploytag.sh"], cwd=application, env=recorder.environ, stdout=subprocess.PIPE, text=True
    )
    assert int(process.communicate(timeout=30)[0]) == process.pid


@pytest.mark.parametrize(
    ("sync", "environment", "command"),
    [("false", "deploytag-feature", "ci"), ("true", "deploytag-bug-fix", "sync --class bug-fix")],
)
def test_githubs_step_keeps_the_kubeconfig_to_itself(
    recorder: Recorder, tmp_path: Path, sync: str, environment: str, command: str
) -> None:
    (script,) = {step["run"] for step in steps() if "run" in step}
    (tmp_path / "temp").mkdir()
    ci = tmp_path / "deploytag.sh"
    ci.write_text('#!/bin/sh\necho "$* $(cat "$KUBECONFIG") ${DEPLOYTAG_KUBECONFIG-unset}"\n')
    ci.chmod(0o755)
    done = recorder.run(
        "bash",
        script,
        tmp_path,
        RUNNER_TEMP=str(tmp_path / "temp"),
        DEPLOYTAG_KUBECONFIG="apiVersion: v1",
        PULUMI_CONFIG_PASSPHRASE="p",
        SYNC=sync,
        ENVIRONMENT=environment,
    )
    assert done.stdout == f"{command} apiVersion: v1 unset\n"
    assert (tmp_path / "temp" / "kubeconfig").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("registry", "environ", "login"),
    [
        ("registry.gitlab.com/acme", {}, "docker login --username ci --password-stdin registry.gitlab.com"),
        (
            "r.test",
            {"REGISTRY_USER": "u", "REGISTRY_PASSWORD": "p"},
            "docker login --username u --password-stdin r.test",
        ),
        (
            "registry.gitlab.com/acme",
            {"REGISTRY_USER": "u", "REGISTRY_PASSWORD": "p"},
            "docker login --username u --password-stdin registry.gitlab.com",
        ),
        ("r.test", {}, None),
    ],
)
def test_gitlab_logs_in_where_it_can(
    recorder: Recorder, tmp_path: Path, registry: str, environ: dict[str, str], login: str | None
) -> None:
    recorder.add("docker", "cat > /dev/null")
    script = "\n".join(
        [*gitlab(registry)[".deploytag"]["before_script"], 'cat "${AWS_WEB_IDENTITY_TOKEN_FILE:-/dev/null}"']
    )
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    own = {"CI_REGISTRY": "registry.gitlab.com", "CI_REGISTRY_USER": "ci", "CI_REGISTRY_PASSWORD": "p"}
    done = recorder.run(
        "bash",
        script,
        tmp_path,
        **own,
        **environ,
        AWS_ROLE_ARN="arn",
        DEPLOYTAG_AWS_TOKEN="jwt",
        TMPDIR=str(temporary),
    )
    assert (done.returncode, done.stdout) == (0, "jwt"), done.stderr
    assert not list(temporary.iterdir()), "neither the login nor the token outlives the job"
    assert recorder.calls == ([login] if login else [])
    assert not any(" p " in call for call in recorder.calls), "a password is never an argument"


@pytest.mark.parametrize(
    ("job", "builds"), [("deploy:bug", True), ("sync:bug", True), ("stop:bug", False), ("gc", False)]
)
def test_gitlab_makes_a_builder_that_knows_dockers_tls(
    recorder: Recorder, tmp_path: Path, job: str, builds: bool
) -> None:
    """Docker in Docker is there a moment after the job has begun."""
    recorder.add("docker", f'[ "$1" != info ] || [ -e {tmp_path}/there ] || {{ touch {tmp_path}/there; exit 1; }}')
    whole = gitlab_job(gitlab(), f"deploytag:{job}")
    done = recorder.run("bash", "\n".join(whole["before_script"]), tmp_path, **whole["variables"], TMPDIR=str(tmp_path))
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    made = "docker buildx create --name deploytag --driver docker-container --use --bootstrap dind"
    expected = ["docker info", "docker info", "docker context create dind", made]
    assert recorder.calls == (expected if builds else [])


def test_githubs_empty_passphrase_is_none(recorder: Recorder, tmp_path: Path) -> None:
    """GitHub gives a secret that is missing as an empty variable, and Pulumi would encrypt with that."""
    (script,) = {step["run"] for step in steps() if "run" in step}
    (tmp_path / "deploytag.sh").write_text('#!/bin/sh\necho "${PULUMI_CONFIG_PASSPHRASE-unset}"\n')
    (tmp_path / "deploytag.sh").chmod(0o755)
    for given, seen in (("", "unset"), ("a b", "a b")):
        environ = {"RUNNER_TEMP": str(tmp_path), "DEPLOYTAG_KUBECONFIG": "", "SYNC": "false", "ENVIRONMENT": "x"}
        done = recorder.run("bash", script, tmp_path, **environ, PULUMI_CONFIG_PASSPHRASE=given)
        assert done.stdout == f"{seen}\n", done.stderr


def test_gitlabs_stop_job_uses_the_default_branch(recorder: Recorder, tmp_path: Path) -> None:
    origin, build = tmp_path / "origin", tmp_path / "build"
    build.mkdir()
    (origin).mkdir()
    (origin / "deploytag.sh").write_text('#!/bin/sh\necho "$(cat "$(dirname "$0")/branch") $*"\n')
    (origin / "deploytag.sh").chmod(0o755)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for branch in ("main", "feature/a"):
        (origin / "branch").write_text(branch)
        for command in (
            ["init", "-q", "-b", "main"],
            ["checkout", "-q", "-B", branch],
            ["add", "."],
            ["commit", "-qm", "x"],
        ):
            subprocess.run([*git, *command], cwd=origin, check=True, env={**os.environ, "HOME": str(tmp_path)})
    script = "\n".join(gitlab_job(gitlab(), "deploytag:stop:feature")["script"])
    for _ in range(2):
        done = recorder.run("bash", script, build, CI_DEFAULT_BRANCH="main", CI_REPOSITORY_URL=str(origin))
        assert done.stdout == "main ci\n", done.stderr
