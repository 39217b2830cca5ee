"""Which branch and which commit: a table of what CI systems say, and real checkouts."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from deploytag.ci import Ref
from deploytag.errors import ForkError, RefError
from deploytag.ref import decide_ref, decide_revision, find_ref, find_revision
from deploytag.repository import Head
from tests.unit.checkout import Checkout

SHA, MERGE, PUSHED = "a" * 40, "b" * 40, "c" * 40
GITHUB = {"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "acme/shop", "GITHUB_HEAD_REF": "", "GITHUB_SHA": MERGE}
GITLAB = {"GITLAB_CI": "true", "CI_PROJECT_ID": "7"}
JENKINS = {"JENKINS_URL": "https://ci.example/"}
BUILDKITE = {
    "BUILDKITE": "true",
    "BUILDKITE_REPO": "git@github.com:acme/shop.git",
    "BUILDKITE_PULL_REQUEST": "false",
    "BUILDKITE_PULL_REQUEST_REPO": "",
}


def pull_request(head_repository: str | None) -> dict[str, Any]:
    """What GitHub writes into GITHUB_EVENT_PATH, as far as it matters here."""
    head_repo = None if head_repository is None else {"full_name": head_repository}
    return {
        "pull_request": {
            "head": {"ref": "feature/test", "sha": PUSHED, "repo": head_repo},
            "base": {"ref": "main", "repo": {"full_name": "acme/shop"}},
        }
    }


def never() -> Any:
    raise AssertionError("git was asked, though somebody else knew")


@pytest.mark.parametrize(
    ("environ", "event", "expected"),
    [
        pytest.param(
            GITHUB
            | {"GITHUB_REF": "refs/heads/feature/test", "GITHUB_REF_NAME": "feature/test", "GITHUB_REF_TYPE": "branch"},
            {},
            Ref("feature/test", "GITHUB_REF"),
            id="github push",
        ),
        pytest.param(
            GITHUB | {"GITHUB_REF": "refs/tags/v1", "GITHUB_REF_NAME": "v1", "GITHUB_REF_TYPE": "tag"},
            {},
            Ref("v1", "GITHUB_REF_NAME", "tag"),
            id="github tag",
        ),
        pytest.param(
            GITHUB | {"GITHUB_REF": "refs/tags/v1"},
            {},
            Ref("v1", "GITHUB_REF", "tag"),
            id="github tag by its ref alone",
        ),
        pytest.param(
            GITHUB
            | {"GITHUB_HEAD_REF": "feature/test", "GITHUB_REF": "refs/pull/3/merge", "GITHUB_REF_NAME": "3/merge"},
            pull_request("acme/shop"),
            Ref("feature/test", "GITHUB_HEAD_REF"),
            id="github pull request",
        ),
        pytest.param(
            GITHUB | {"GITHUB_HEAD_REF": "feature/test", "GITHUB_REF": "refs/pull/3/merge"},
            {},
            Ref("feature/test", "GITHUB_HEAD_REF"),
            id="github pull request, no event file",
        ),
        pytest.param(
            GITHUB | {"GITHUB_REF": "refs/pull/3/merge"},
            pull_request("acme/shop"),
            Ref("feature/test", "GITHUB_EVENT_PATH"),
            id="github pull request review, which sets no GITHUB_HEAD_REF",
        ),
        pytest.param(
            GITHUB | {"GITHUB_HEAD_REF": "feature/test", "GITHUB_REF": "refs/heads/main"},
            pull_request("acme/shop"),
            Ref("feature/test", "GITHUB_HEAD_REF"),
            id="github pull_request_target, whose GITHUB_REF is the base",
        ),
        pytest.param(
            GITLAB | {"CI_COMMIT_BRANCH": "feature/test", "CI_COMMIT_REF_NAME": "feature/test"},
            {},
            Ref("feature/test", "CI_COMMIT_BRANCH"),
            id="gitlab push",
        ),
        pytest.param(GITLAB | {"CI_COMMIT_TAG": "v1"}, {}, Ref("v1", "CI_COMMIT_TAG", "tag"), id="gitlab tag"),
        pytest.param(
            GITLAB
            | {
                "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "feature/test",
                "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "7",
                "CI_MERGE_REQUEST_PROJECT_ID": "7",
            },
            {},
            Ref("feature/test", "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME"),
            id="gitlab merge request",
        ),
        pytest.param(
            GITLAB
            | {
                "CI_PROJECT_ID": "8",
                "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "feature/test",
                "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "8",
                "CI_MERGE_REQUEST_PROJECT_ID": "7",
            },
            {},
            Ref("feature/test", "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME"),
            id="gitlab merge request, run in the fork's own project",
        ),
        pytest.param(
            JENKINS | {"BRANCH_NAME": "feature/test"}, {}, Ref("feature/test", "BRANCH_NAME"), id="jenkins branch"
        ),
        pytest.param(
            JENKINS | {"BRANCH_NAME": "PR-3", "CHANGE_ID": "3", "CHANGE_BRANCH": "feature/test"},
            {},
            Ref("feature/test", "CHANGE_BRANCH"),
            id="jenkins change",
        ),
        pytest.param(
            JENKINS | {"BRANCH_NAME": "v1", "TAG_NAME": "v1"}, {}, Ref("v1", "TAG_NAME", "tag"), id="jenkins tag"
        ),
        pytest.param(
            JENKINS | {"GIT_BRANCH": "origin/feature/test"},
            {},
            Ref("feature/test", "GIT_BRANCH"),
            id="jenkins freestyle",
        ),
        pytest.param(
            JENKINS | {"GIT_BRANCH": "refs/tags/v1"}, {}, Ref("v1", "GIT_BRANCH", "tag"), id="jenkins freestyle tag"
        ),
        pytest.param(
            BUILDKITE | {"BUILDKITE_BRANCH": "feature/test"},
            {},
            Ref("feature/test", "BUILDKITE_BRANCH"),
            id="buildkite",
        ),
        pytest.param(
            BUILDKITE
            | {"BUILDKITE_BRANCH": "feature/test", "BUILDKITE_PULL_REQUEST_REPO": "https://github.com/Acme/shop"},
            {},
            Ref("feature/test", "BUILDKITE_BRANCH"),
            id="buildkite pull request of our own, its address written in another way",
        ),
        pytest.param(
            BUILDKITE | {"BUILDKITE_BRANCH": "v1", "BUILDKITE_TAG": "v1"},
            {},
            Ref("v1", "BUILDKITE_TAG", "tag"),
            id="buildkite tag",
        ),
    ],
)
def test_what_the_ci_says(environ: Mapping[str, str], event: Mapping[str, Any], expected: Ref) -> None:
    assert decide_ref(None, environ, event, never) == expected


@pytest.mark.parametrize(
    ("environ", "event", "fork"),
    [
        pytest.param(GITHUB | {"GITHUB_HEAD_REF": "feature/test"}, pull_request("eve/shop"), "eve/shop", id="github"),
        pytest.param(
            GITHUB | {"GITHUB_HEAD_REF": "feature/test"},
            pull_request(None),
            "a repository that is gone",
            id="github, deleted",
        ),
        pytest.param(
            GITLAB
            | {
                "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "feature/test",
                "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "8",
                "CI_MERGE_REQUEST_SOURCE_PROJECT_PATH": "eve/shop",
            },
            {},
            "eve/shop",
            id="gitlab",
        ),
        pytest.param(
            JENKINS | {"CHANGE_ID": "3", "CHANGE_BRANCH": "feature/test", "CHANGE_FORK": "eve"}, {}, "eve", id="jenkins"
        ),
        pytest.param(
            BUILDKITE | {"BUILDKITE_BRANCH": "eve:feature/test"}, {}, "eve", id="buildkite, owner in the branch"
        ),
        pytest.param(
            BUILDKITE
            | {"BUILDKITE_BRANCH": "feature/test", "BUILDKITE_PULL_REQUEST_REPO": "git://github.com/eve/shop.git"},
            {},
            "git://github.com/eve/shop.git",
            id="buildkite, owner in the address alone",
        ),
    ],
)
def test_a_fork_gets_no_environment(environ: Mapping[str, str], event: Mapping[str, Any], fork: str) -> None:
    """Its branch may be named as one of ours, and its code would run with our credentials."""
    with pytest.raises(ForkError) as caught:
        decide_ref(None, environ, event, never)
    assert f"The branch feature/test comes from a fork ({fork})" in str(caught.value)
    assert decide_ref("feature/theirs", environ, event, never).name == "feature/theirs", "a person may still decide"


def test_the_first_that_knows_wins() -> None:
    everything = GITHUB | {"GITHUB_REF": "refs/heads/from-ci", "DEPLOYTAG_BRANCH": "from-variable"}
    assert decide_ref("configured", everything, {}, never) == Ref("configured", "configuration")
    assert decide_ref(None, everything, {}, never) == Ref("from-variable", "DEPLOYTAG_BRANCH")
    assert decide_ref("", everything | {"DEPLOYTAG_BRANCH": ""}, {}, never) == Ref("from-ci", "GITHUB_REF")
    assert decide_ref(None, {}, {}, lambda: Head("from-git", SHA)) == Ref("from-git", "git")


def test_a_full_ref_may_be_given() -> None:
    assert decide_ref("refs/heads/feature/test", {}, {}, never) == Ref("feature/test", "configuration")
    assert decide_ref(None, {"DEPLOYTAG_BRANCH": "refs/tags/v1"}, {}, never) == Ref("v1", "DEPLOYTAG_BRANCH", "tag")


def test_variables_of_a_ci_that_is_not_there_mean_nothing() -> None:
    strays = {
        "BRANCH_NAME": "x",
        "GIT_BRANCH": "x",
        "CI_COMMIT_BRANCH": "x",
        "GITHUB_REF": "refs/heads/x",
        "TAG_NAME": "x",
    }
    assert decide_ref(None, strays, {}, lambda: Head("main", SHA)) == Ref("main", "git")
    assert decide_revision(strays | {"GIT_COMMIT": MERGE}, {}, lambda: Head("main", SHA), lambda: False) == SHA


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        (GITHUB | {"GITHUB_REF": "refs/pull/3/merge", "GITHUB_REF_NAME": "3/merge"}, "GITHUB_REF is refs/pull/3/merge"),
        (JENKINS | {"BRANCH_NAME": "PR-3", "CHANGE_ID": "3"}, "Jenkins builds the change 3"),
        (JENKINS | {"GIT_BRANCH": "detached"}, f"HEAD is detached at {SHA[:12]}"),
        ({}, f"HEAD is detached at {SHA[:12]}"),
        ({"DEPLOYTAG_BRANCH": "feature test"}, "'feature test' is no name of a git branch or tag: it contains ' '"),
    ],
)
def test_what_cannot_be_told_is_a_sentence(environ: Mapping[str, str], sentence: str) -> None:
    with pytest.raises(RefError) as caught:
        decide_ref(None, environ, {}, lambda: Head(None, SHA))
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("environ", "event", "expected"),
    [
        pytest.param({"DEPLOYTAG_REVISION": "r1"} | GITHUB, {}, "r1", id="stated"),
        pytest.param(GITHUB, {}, MERGE, id="github"),
        pytest.param(
            GITHUB, pull_request("acme/shop"), PUSHED, id="github pull request: what was pushed, not the merge"
        ),
        pytest.param(GITLAB | {"CI_COMMIT_SHA": MERGE}, {}, MERGE, id="gitlab"),
        pytest.param(
            GITLAB | {"CI_COMMIT_SHA": MERGE, "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA": PUSHED},
            {},
            PUSHED,
            id="gitlab merged result",
        ),
        pytest.param(JENKINS | {"GIT_COMMIT": MERGE}, {}, MERGE, id="jenkins"),
        pytest.param(BUILDKITE | {"BUILDKITE_COMMIT": MERGE}, {}, MERGE, id="buildkite"),
        pytest.param(BUILDKITE | {"BUILDKITE_COMMIT": "HEAD"}, {}, f"{SHA}-dirty", id="buildkite, started by hand"),
        pytest.param({}, {}, f"{SHA}-dirty", id="git"),
    ],
)
def test_the_revision(environ: Mapping[str, str], event: Mapping[str, Any], expected: str) -> None:
    assert decide_revision(environ, event, lambda: Head(None, SHA), lambda: True) == expected


def test_a_checkout_says_its_branch_and_commit(checkout: Checkout) -> None:
    checkout.track({"a": "1", "b/c": "2"})
    commit = checkout.commit()
    checkout.git("switch", "-q", "-c", "feature/test")
    assert find_ref({}, None, checkout.path / "b") == Ref("feature/test", "git")
    assert find_revision({}, checkout.path) == commit
    checkout.write("untracked", "3")
    assert find_revision({}, checkout.path) == commit
    checkout.write("a", "changed")
    assert find_revision({}, checkout.path) == f"{commit}-dirty"
    checkout.git("add", "a")
    assert find_revision({}, checkout.path) == f"{commit}-dirty"


def test_a_worktree_says_its_own_branch(checkout: Checkout, tmp_path: Path) -> None:
    checkout.commit()
    checkout.git("worktree", "add", "-q", "-b", "feature/test", str(tmp_path / "other"))
    assert find_ref({}, None, tmp_path / "other").name == "feature/test"
    assert not find_revision({}, tmp_path / "other").endswith("-dirty")


def test_a_hooks_git_dir_does_not_mislead(checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkout.track({"a": "1"})
    commit = checkout.commit()
    other = Checkout.init(tmp_path / "other")
    other.commit()
    monkeypatch.setenv("GIT_DIR", str(other.path / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other.path / ".git" / "index"))
    assert find_revision({}, checkout.path) == commit


def test_a_detached_head_needs_a_variable(checkout: Checkout) -> None:
    checkout.commit()
    checkout.git("switch", "-q", "--detach")
    with pytest.raises(RefError, match=r"^HEAD is detached at .* set DEPLOYTAG_BRANCH\.$"):
        find_ref({}, None, checkout.path)
    assert find_ref({"DEPLOYTAG_BRANCH": "main"}, None, checkout.path).name == "main"


def test_an_empty_repository_is_a_sentence(checkout: Checkout) -> None:
    with pytest.raises(RefError, match="has no commit yet"):
        find_ref({}, None, checkout.path)


def test_no_repository_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(RefError, match="is not in a git repository"):
        find_ref({}, None, tmp_path)
    with pytest.raises(RefError, match="is not in a git repository"):
        find_ref({}, None, tmp_path / "missing")


def test_a_bare_repository_is_a_sentence(checkout: Checkout, tmp_path: Path) -> None:
    checkout.git("clone", "-q", "--bare", str(checkout.path), str(tmp_path / "bare.git"))
    with pytest.raises(RefError, match="is a bare git repository"):
        find_revision({}, tmp_path / "bare.git")


def test_githubs_event_is_read_from_its_file(tmp_path: Path) -> None:
    event = tmp_path / "event.json"
    event.write_text(json.dumps(pull_request("eve/shop")))
    environ = GITHUB | {"GITHUB_HEAD_REF": "feature/test", "GITHUB_EVENT_PATH": str(event)}
    with pytest.raises(ForkError):
        find_ref(environ, None, tmp_path)
    event.write_text("{")
    with pytest.raises(RefError, match=r"The GitHub event in .* cannot be read"):
        find_ref(environ, None, tmp_path)
