"""Names that would like to be something else, pushed and deployed; and a remote that never answers."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from deploytag.identity import identify
from tests.e2e.delivery.pushing import Pushing, pushing
from tests.e2e.names import own
from tests.e2e.program.checkout import PROJECT, page
from tests.e2e.program.inventory import kubectl
from tests.silent import silent_git_server

pytestmark = [pytest.mark.e2e, pytest.mark.sampled(2)]

REF = own("feature/{{.Values.envSecret}};$(touch${IFS}hostile-pwned)`id`'\"&$(DEPLOYTAG_REVISION)")
"""A branch of a class, whose name is a template to Helm, code to a shell, and a variable to Kubernetes."""

NO_CLASS = [
    "chore/$(touch${IFS}hostile-pwned)",
    "chore/--help",
    "chore/\u202egnp",
    "chore/" + "y" * 200,
]


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Pushing]:
    with pushing(tmp_path) as it:
        it.small()
        it.push("main", "small")
        yield it


def test_a_hostile_name_is_deployed_as_a_name(repository: Pushing) -> None:
    commit = repository.push(REF, "::add-mask::e\x1b[2J")
    report = repository.report("deploy", REF)
    assert (report["outcome"], report["ref"]) == ("deployed", REF)
    served = page(report["url"])
    assert (served["ref"], served["revision"]) == (REF, commit)
    identity = identify(PROJECT, REF)
    values = yaml.safe_load(
        repository.checkout.must("helm", "get", "values", identity.release, "--namespace", identity.namespace)
    )
    assert values["ref"] == REF
    assert repository.report("destroy", REF)["outcome"] == "destroyed"
    assert identity.namespace not in kubectl("get", "namespaces", "-o", "name")
    assert not list(repository.path.rglob("hostile-pwned"))


def test_the_sandboxs_remote_takes_hostile_names_for_names(repository: Pushing) -> None:
    remote = Path(os.environ["DEPLOYTAG_SANDBOX"], "repository.git")
    repository.push("main", "the sandbox's remote is the truth")
    refspecs = [f"+HEAD:refs/heads/{ref}" for ref in NO_CLASS]
    try:
        done = _push(repository, remote, *refspecs)
        assert done.returncode == 0, done.stdout
        assert done.stdout.count("belongs to no class") == len(NO_CLASS)
    finally:
        _push(repository, remote, *(f":refs/heads/{ref}" for ref in NO_CLASS))
    assert not list(remote.rglob("hostile-pwned"))
    assert not list(repository.path.rglob("hostile-pwned"))


def _push(repository: Pushing, remote: Path, *refspecs: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["git", "push", str(remote), *refspecs],
        cwd=repository.path,
        env=repository.checkout.environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=400,
        check=False,
    )


def test_a_remote_that_never_answers_ends_the_run_with_a_sentence(repository: Pushing) -> None:
    with silent_git_server() as server:
        environ = {"DEPLOYTAG_BRANCH": "feature/hostile", "DEPLOYTAG_REMOTE": server.url}
        # Longer than git's own limit of 20 s, shorter than anybody's patience.
        done = repository.checkout.run("deploytag", "ci", environ=environ, timeout=60)
    assert server.held, "it was asked"
    assert done.code == 8, done.output
    assert "did not answer: `git ls-remote` took more than 20 s" in done.output
