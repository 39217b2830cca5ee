"""An application's repository, from `deploytag init` to a served URL; what `deploytag doctor` sees of the sandbox."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploytag.errors import OwnershipError, SecretError, SettingsError, UnreachableError
from deploytag.identity import identify
from deploytag.rights import API_GROUP, BINDING, ENVIRONMENT_ROLE, Subject
from tests.e2e.delivery.applications import COMMIT, application, initialise, project_of_its_own
from tests.e2e.program.checkout import Checkout, administrator
from tests.e2e.program.inventory import kubectl
from tests.e2e.rights import give, take

pytestmark = [pytest.mark.e2e, pytest.mark.sampled(2)]


@pytest.fixture(name="application")
def _application(tmp_path: Path) -> Iterator[Checkout]:
    with application(tmp_path) as it:
        yield it


@pytest.fixture(name="project")
def _project() -> Iterator[str]:
    with project_of_its_own() as name:
        yield name


@pytest.fixture
def somebody(tmp_path: Path) -> Iterator[tuple[Subject, Path]]:
    """Somebody who has no rights yet, and the kubeconfig."""
    name = f"setup-{os.urandom(4).hex()}"
    kubectl("create", "namespace", name)
    kubectl("create", "serviceaccount", name, "-n", name)
    config = json.loads(kubectl("config", "view", "--raw", "--flatten", "--minify", "-o", "json"))
    config["users"][0]["user"] = {"token": kubectl("create", "token", name, "-n", name, "--duration=1h").strip()}
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(config))
    try:
        yield Subject.service_account(name, name), path
    finally:
        kubectl("delete", "namespace", name, "--wait=false")


def use_this_environment(it: Checkout) -> None:
    """In place of the one that ./deploytag.sh makes from a package index."""
    (it.path / ".deploytag" / "venv").symlink_to(sys.prefix)


def doctor(it: Checkout, environ: Mapping[str, str] | None = None) -> tuple[int, dict[str, list[tuple[str, str]]]]:
    """The exit code, and what each check said."""
    # Beside what it prints, a library may warn on standard error.
    done = subprocess.run(
        ["deploytag", "doctor", "--json"],
        cwd=it.path,
        env={**it.environ, **(environ or {})},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    document: dict[str, Any] = json.loads(done.stdout)
    assert document["exit_code"] == done.returncode
    said: dict[str, list[tuple[str, str]]] = {}
    for line in document["checks"]:
        said.setdefault(line["check"], []).append((line["level"], line["seen"]))
    return done.returncode, said


def test_an_initialised_repository_is_served_by_a_user_with_no_more_than_the_rights(
    # In this order, so that the environment is destroyed before its user is.
    somebody: tuple[Subject, Path],
    application: Checkout,
) -> None:
    subject, kubeconfig = somebody
    project = f"setup{os.urandom(3).hex()}"
    initialise(application, project)
    application.environ["KUBECONFIG"] = str(kubeconfig)
    assert subject.namespace
    former = Subject("User", f"former-{subject.name}")
    options = ("--service-account", f"{subject.namespace}/{subject.name}", "--user", former.name)
    printed = application.must("deploytag", "rights", *options)
    subprocess.run(
        ["kubectl", "apply", "--server-side", "--force-conflicts", "-f", "-"], input=printed, text=True, check=True
    )
    try:
        _, said = doctor(application)
        assert [level for level, _ in said["permissions"]] == ["ok"], said["permissions"]
        application.must("git", "switch", "--quiet", "--create", "feature/setup")
        identity = identify(project, "feature/setup")
        application.must("pulumi", "stack", "select", "--create", identity.stack)
        application.stacks.append(identity.stack)
        done = application.up(identity)
        assert done.ok, done.output
        revision = application.must("git", "rev-parse", "HEAD").strip()
        url = application.outputs(identity)["url"]
        assert httpx.get(url, timeout=10).text == f"feature/setup at {revision}\n"
        assert kubectl("auth", "can-i", "list", "secrets", "-n", identity.namespace, f"--as={former.name}") == "yes\n"
        # But for a probe that came before the page was there, as on a busy machine.
        events = json.loads(kubectl("get", "events", "-n", identity.namespace, "-o", "json"))["items"]
        warnings = [it["message"] for it in events if it["type"] == "Warning" and it["reason"] != "Unhealthy"]
        assert not warnings
        # Nothing of DeployTag's own files is in the image: a change of them builds no other.
        with (application.path / "deploytag.yaml").open("a") as settings:
            settings.write("# edited\n")
        assert application.changes(identity) == {f"{project}-release"}, (
            "the pods are told that the checkout is dirty now"
        )
        give(project, subject)
        again = application.up(identity)
        assert again.ok, again.output
        rights = json.loads(kubectl("get", "rolebinding", BINDING, "-n", identity.namespace, "-o", "json"))
        assert [it["name"] for it in rights["subjects"]] == [subject.name]
        application.close()
        application.stacks.clear()
    finally:
        take(project)


def test_a_repository_that_can_deploy_has_no_problem(application: Checkout, project: str) -> None:
    initialise(application, project)
    use_this_environment(application)
    code, said = doctor(application)
    assert [(check, line) for check, lines in said.items() for line in lines if line[0] == "problem"] == []
    assert code == 0
    assert [level for level, _ in said["registry"]] == ["ok", "ok"]
    assert {said[check][0][0] for check in ("chart", "remote", "cluster", "clock", "permissions", "state")} == {"ok"}


def test_every_problem_is_said_beside_the_others(application: Checkout, project: str, tmp_path: Path) -> None:
    initialise(application, project)
    policy = tmp_path / "policy.yaml"
    policy.write_text(
        (application.path / "deploytag.policy.yaml")
        .read_text()
        .replace("secrets: []", f"secrets: [no/such/{tmp_path.name}]")
        .replace("database: false", "database: true\n    database_key: staging/database-key")
    )
    application.edit("Pulumi.yaml", 'default: "deploytag"', "default: no-such-builder")
    _, said = doctor(
        application,
        {
            "DEPLOYTAG_POLICY": str(policy),
            "DEPLOYTAG_REMOTE": "nowhere",
            "PGPORT": "1",
            "PULUMI_BACKEND_URL": f"file://{tmp_path}/missing",
            "PULUMI_CONFIG_PASSPHRASE_FILE": f"{tmp_path}/missing",
            "PULUMI_CONFIG_PASSPHRASE": "",
        },
    )
    levels = {check: [level for level, _ in lines] for check, lines in said.items()}
    for check in ("remote", "database", "builder", "state", "secrets"):
        assert "problem" in levels[check], said[check]
    assert levels["aws"].count("problem") == 1
    assert f"there is no secret no/such/{tmp_path.name}" in said["aws"][-1][1] + said["aws"][1][1]
    for check in ("git", "pulumi", "helm", "chart", "cluster", "permissions", "registry"):
        assert set(levels[check]) == {"ok"}, said[check]


@pytest.mark.parametrize(
    ("old", "new", "environ", "code"),
    [
        ("server: https", "server: nonsense", {}, SettingsError.exit_code),
        ("server: https://", "server: https://other.", {}, OwnershipError.exit_code),
        ("secrets: []", "secrets: [no/such/secret]", {}, SecretError.exit_code),
        ("pattern: bug", "pattern: bug", {"KUBECONFIG": "/nonexistent"}, UnreachableError.exit_code),
    ],
)
def test_the_exit_code_says_which_kind_comes_first(
    application: Checkout, project: str, old: str, new: str, environ: dict[str, str], code: int
) -> None:
    initialise(application, project)
    use_this_environment(application)
    application.edit("deploytag.policy.yaml", old, new)
    application.must(*COMMIT, "--all", "--allow-empty")
    application.must("git", "push", "--quiet", "origin", "main")
    assert doctor(application, environ)[0] == code


def test_what_may_not_be_done_is_said_with_its_reason(application: Checkout, somebody: tuple[Subject, Path]) -> None:
    initialise(application)
    _, said = doctor(application, {"KUBECONFIG": str(somebody[1])})
    assert {level for level, _ in said["permissions"]} == {"problem", "warning"}, said["permissions"]
    seen = "\n".join(line for _, line in said["permissions"])
    assert "jobs.batch in the environments (the chart's hooks: migrations)" in seen
    assert "refuses: 403 Forbidden" in said["namespace"][0][1]
    assert said["cluster"][0][0] == "ok", "anybody may ask for the version"


def test_whom_no_policy_looks_at_is_told_so(application: Checkout, somebody: tuple[Subject, Path]) -> None:
    """Policies are asked about wrappers alone: who has their roles, but for that word, is held by nothing."""
    subject, kubeconfig = somebody
    initialise(application)
    role = {
        "apiVersion": f"{API_GROUP}/v1",
        "kind": "ClusterRole",
        "metadata": {"name": subject.name},
        "rules": [
            {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["patch"]},
            {"apiGroups": [API_GROUP], "resources": ["rolebindings"], "verbs": ["create"]},
            {
                "apiGroups": [API_GROUP],
                "resources": ["clusterroles"],
                "verbs": ["bind"],
                "resourceNames": [ENVIRONMENT_ROLE],
            },
        ],
    }
    kubectl("create", "-f", "-", document=role)
    account = f"--serviceaccount={subject.namespace}:{subject.name}"
    try:
        kubectl("create", "clusterrolebinding", subject.name, f"--clusterrole={subject.name}", account)
        _, said = doctor(application, {"KUBECONFIG": str(kubeconfig)})
    finally:
        kubectl("delete", "clusterrole,clusterrolebinding", subject.name, "--ignore-not-found")
    missing = [seen for level, seen in said["permissions"] if level == "problem" and "does not hold" in seen]
    assert [seen.split()[-4] for seen in missing] == ["deploytag-projects", "deploytag-role-bindings"], said


def test_an_administrator_is_told_to_let_another_deploy(application: Checkout) -> None:
    initialise(application)
    _, said = doctor(application, administrator())
    assert [level for level, _ in said["permissions"]] == ["ok", "warning"]
    assert "everything in the cluster" in said["permissions"][1][1]
