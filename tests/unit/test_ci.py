"""Which branch and which commit the CI systems' variables mean: tables."""

from collections.abc import Mapping
from typing import Any

import pytest

from deploytag.ci import Ref
from deploytag.errors import ForkError
from deploytag.ref import decide_ref, decide_revision
from deploytag.repository import Head
from tests.unit.ci_environments import BUILDKITE, GITHUB, GITLAB, JENKINS, MERGE, PUSHED, SHA, never, pull_request

CHECKOUT = f"{SHA}-dirty"


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
    assert decide_ref(None, environ, lambda: event, never) == expected


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
        decide_ref(None, environ, lambda: event, never)
    assert f"The branch feature/test comes from a fork ({fork})" in str(caught.value)
    assert decide_ref("feature/theirs", environ, lambda: event, never).name == "feature/theirs", (
        "a person may still decide"
    )


def test_variables_of_a_ci_that_is_not_there_mean_nothing() -> None:
    strays = {
        "BRANCH_NAME": "x",
        "GIT_BRANCH": "x",
        "CI_COMMIT_BRANCH": "x",
        "GITHUB_REF": "refs/heads/x",
        "TAG_NAME": "x",
    }
    assert decide_ref(None, strays, dict, lambda: Head("main", SHA)) == Ref("main", "git")
    assert decide_revision(strays | {"GIT_COMMIT": MERGE}, dict, lambda: SHA) == SHA


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
        pytest.param(BUILDKITE | {"BUILDKITE_COMMIT": "HEAD"}, {}, CHECKOUT, id="buildkite, started by hand"),
        pytest.param({}, {}, CHECKOUT, id="git"),
    ],
)
def test_the_revision(environ: Mapping[str, str], event: Mapping[str, Any], expected: str) -> None:
    assert decide_revision(environ, lambda: event, lambda: CHECKOUT) == expected
