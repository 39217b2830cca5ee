"""`deploytag why` and `logs`, as a person types them."""

import json
import os
import subprocess
import uuid
from pathlib import Path
from typing import Any

import pytest

from deploytag.errors import DeploymentError, UsageError
from deploytag.identity import Identity, identify
from tests.e2e.delivery.charts import BROKEN, namespace
from tests.e2e.delivery.pushing import pushing
from tests.e2e.program.checkout import PROJECT, REPOSITORY, sandbox_environ
from tests.schemas import fits

pytestmark = [pytest.mark.e2e, pytest.mark.sampled(3)]


@pytest.fixture
def identity() -> Identity:
    return identify(PROJECT, f"feature/why{uuid.uuid4().hex[:8]}x")


def deploytag(*arguments: str) -> Any:
    """What the command prints with --json."""
    done = subprocess.run(
        ["deploytag", *arguments, "--json"],
        cwd=REPOSITORY,
        env={**sandbox_environ(), "DEPLOYTAG_REMOTE": os.environ["DEPLOYTAG_REMOTE"]},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    fits(arguments[0], document)
    return document


def test_what_was_never_deployed_is_said_so(identity: Identity) -> None:
    assert deploytag("why", identity.ref)["state"] == "never-deployed"
    assert deploytag("logs", identity.ref) == {"ref": identity.ref, "lines": [], "complaints": []}


def test_what_is_broken_is_explained_with_event_and_log(identity: Identity, tmp_path: Path) -> None:
    with namespace(tmp_path, identity.namespace) as space:
        helm = space.helm(BROKEN["hook"])
        helm.communicate()
        explained = deploytag("why", identity.ref)
        migration = deploytag("logs", identity.ref, "--migration")["lines"]
    assert (explained["state"], explained["cause"]) == ("broken", "hook")
    assert "hook migrate failed" in explained["why"]
    assert "| relation orders exists already" in explained["evidence"]
    assert [(line["container"], line["line"]) for line in migration] == [("migrate", "relation orders exists already")]


def test_what_holds_a_namespace_is_named(identity: Identity, tmp_path: Path) -> None:
    with namespace(tmp_path, identity.namespace) as space:
        space.kubectl("create", "configmap", "held")
        held = '{"metadata":{"finalizers":["example.com/keep"]}}'
        space.kubectl("patch", "configmap", "held", "--patch", held)
        try:
            space.kubectl("delete", "namespace", space.name, "--wait=false")
            space.kubectl(
                "wait", "namespace", space.name, "--for=condition=NamespaceFinalizersRemaining", "--timeout=60s"
            )
            explained = deploytag("why", identity.ref)
        finally:
            space.kubectl("patch", "configmap", "held", "--patch", '{"metadata":{"finalizers":null}}')
        space.kubectl("wait", "namespace", space.name, "--for=delete", "--timeout=120s")
    assert explained["state"] == "terminating"
    # The right to see which object it is went with the namespace's RoleBinding.
    assert "example.com/keep" in "".join(explained["evidence"])


def test_a_first_push_that_fails_early_is_told_as_failed_and_goes_without_its_program(
    identity: Identity, tmp_path: Path
) -> None:
    with pushing(tmp_path) as it:
        it.small()
        program, project = it.path / "__main__.py", it.path / "Pulumi.yaml"
        program.write_text("import nothing_of_this_name\n")
        commit = it.push(identity.ref, "a program that does not begin")
        failed = it.report("deploy", identity.ref, code=DeploymentError.exit_code)
        explained = it.report("why", identity.ref)
        rows: Any = it.report("ls")
        whole = project.read_text()
        project.write_text("name: [broken\n")
        try:
            refused = it.report("destroy", identity.ref, code=UsageError.exit_code)
            destroyed = it.report("destroy", identity.ref, "--project", PROJECT)
        finally:
            project.write_text(whole)
    assert (failed["action"], failed["ref"], failed["outcome"]) == ("deploy", identity.ref, "failed")
    assert (failed["kind"], failed["exit_code"]) == ("DeploymentError", 11)
    assert "nothing_of_this_name" in failed["reason"]
    assert explained["state"] == "failed"
    assert commit[:12] in explained["why"]
    [row] = [row for row in rows if row["ref"] == identity.ref]
    assert row["state"] == "failed"
    assert row["note"] and row["note"] in failed["reason"]
    assert "--project" in refused["reason"]
    assert destroyed["outcome"] == "destroyed"


def test_what_a_build_printed_is_kept(identity: Identity, tmp_path: Path) -> None:
    with pushing(tmp_path) as it:
        dockerfile = it.path / "Dockerfile"
        dockerfile.write_text(dockerfile.read_text() + "RUN echo so-far-so-good && false\n")
        commit = it.push(identity.ref, "a build that fails")
        try:
            failed = it.deploytag("deploy", identity.ref)
            kept = it.report("logs", identity.ref, "--build")
        finally:
            it.report("destroy", identity.ref)
        forgotten = it.report("logs", identity.ref, "--build")
    assert failed.code == DeploymentError.exit_code
    assert kept["revision"] == commit
    for lines in (kept["lines"], failed.output.splitlines()):
        assert any(line.endswith(" so-far-so-good") for line in lines), lines
    assert forgotten["lines"] == []
