"""What a CI run is to do: a table of real-looking environments, with the branch on the remote and gone from it."""

from collections.abc import Mapping
from typing import Any

import pytest

from deploytag.delivery.pipeline.plan import Deploy, Destroy, Gc, Plan, Skip, decide
from deploytag.errors import RefError, UnreachableError
from deploytag.repository import Head
from deploytag.settings import Policy
from tests.unit.ci_environments import (
    BUILDKITE,
    GITHUB,
    GITLAB,
    JENKINS,
    MERGE,
    PUSHED,
    SHA,
    github,
    never,
    pull_request,
)

POLICY = Policy.model_validate(
    {
        "cluster": {"server": "https://cluster.test:6443"},
        "classes": {
            "feature": {"pattern": "feature/*", "secrets": [], "database": False, "migrations": False},
            "bug": {"pattern": "bug/*", "secrets": [], "database": False, "migrations": False},
        },
    }
)
REF = "feature/test"
GONE = Destroy(REF, f"{REF} is gone from the remote.")
NO_CLASS = (
    "main belongs to no class, so it is not deployed: feature/*, bug/* are. "
    "Rename the branch, or add a class to deploytag.policy.yaml."
)
PULL = {"GITHUB_HEAD_REF": REF}
REQUEST = GITLAB | {
    "CI_PIPELINE_SOURCE": "merge_request_event",
    "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": REF,
    "CI_MERGE_REQUEST_PROJECT_ID": "7",
    "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "7",
    "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA": PUSHED,
    "CI_COMMIT_SHA": MERGE,
}


def plan(environ: Mapping[str, str], event: Mapping[str, Any], tip: str | None, head: Head | None = None) -> Plan:
    return decide(environ, lambda: event, lambda: head or Head(None, SHA), lambda _: tip, POLICY)


@pytest.mark.parametrize(
    ("environ", "event", "there"),
    [
        pytest.param(github("push", f"refs/heads/{REF}"), {"deleted": False}, Deploy(REF, MERGE), id="github push"),
        pytest.param(
            github("create", f"refs/heads/{REF}"),
            {"ref": REF, "ref_type": "branch"},
            Deploy(REF, MERGE),
            id="github branch created",
        ),
        *(
            pytest.param(
                github("pull_request", "refs/pull/3/merge", **PULL),
                {"action": action} | pull_request("acme/shop"),
                Deploy(REF, PUSHED),
                id=f"github pull request {action}",
            )
            for action in ("opened", "synchronize", "reopened")
        ),
        *(
            pytest.param(
                github(name, **PULL),
                {"action": "closed"} | pull_request("acme/shop"),
                Skip(
                    f"The pull request was closed, but its branch {REF} is still there: an environment lives as long "
                    "as its branch. Delete the branch to remove it.",
                    REF,
                ),
                id=f"github {name} closed",
            )
            for name in ("pull_request", "pull_request_target")
        ),
        pytest.param(
            github("delete"),
            {"ref": REF, "ref_type": "branch"},
            Skip(f"{REF} was deleted, but it is on the remote again: its newest push deploys it.", REF),
            id="github branch deleted",
        ),
        pytest.param(
            github("push"),
            {"ref": f"refs/heads/{REF}", "deleted": True},
            Skip(f"{REF} was deleted, but it is on the remote again: its newest push deploys it.", REF),
            id="github push that deletes",
        ),
        pytest.param(
            github("workflow_dispatch") | {"DEPLOYTAG_BRANCH": REF}, {}, Deploy(REF, MERGE), id="github by hand"
        ),
        pytest.param(
            GITLAB | {"CI_PIPELINE_SOURCE": "push", "CI_COMMIT_BRANCH": REF, "CI_COMMIT_SHA": MERGE},
            {},
            Deploy(REF, MERGE),
            id="gitlab push",
        ),
        pytest.param(
            GITLAB | {"CI_PIPELINE_SOURCE": "web", "CI_COMMIT_BRANCH": REF, "CI_COMMIT_SHA": MERGE},
            {},
            Deploy(REF, MERGE),
            id="gitlab by hand",
        ),
        pytest.param(REQUEST, {}, Deploy(REF, PUSHED), id="gitlab merge request"),
        pytest.param(
            JENKINS | {"BRANCH_NAME": REF, "GIT_COMMIT": MERGE}, {}, Deploy(REF, MERGE), id="jenkins multibranch"
        ),
        pytest.param(
            JENKINS | {"BRANCH_NAME": "PR-3", "CHANGE_ID": "3", "CHANGE_BRANCH": REF, "GIT_COMMIT": MERGE},
            {},
            Deploy(REF, MERGE),
            id="jenkins change",
        ),
        pytest.param(
            BUILDKITE | {"BUILDKITE_SOURCE": "webhook", "BUILDKITE_BRANCH": REF, "BUILDKITE_COMMIT": MERGE},
            {},
            Deploy(REF, MERGE),
            id="buildkite",
        ),
        pytest.param(
            BUILDKITE | {"BUILDKITE_SOURCE": "ui", "BUILDKITE_BRANCH": REF, "BUILDKITE_COMMIT": "HEAD"},
            {},
            Deploy(REF, SHA),
            id="buildkite by hand",
        ),
        pytest.param({"DEPLOYTAG_BRANCH": f"refs/heads/{REF}"}, {}, Deploy(REF, SHA), id="a hook, or a shell script"),
        pytest.param(
            {"DEPLOYTAG_BRANCH": REF, "DEPLOYTAG_REVISION": PUSHED}, {}, Deploy(REF, PUSHED), id="a stated commit"
        ),
    ],
)
def test_a_branch_that_is_there_and_one_that_is_gone(
    environ: Mapping[str, str], event: Mapping[str, Any], there: Plan
) -> None:
    """Whatever the event says and however late it comes: what is gone from the remote is destroyed."""
    assert plan(environ, event, tip=SHA) == there
    assert plan(environ, event, tip=None) == GONE


def test_a_branch_of_no_class_that_is_gone_may_be_one_that_no_job_has_credentials_for() -> None:
    gone = plan(github("delete"), {"ref": "chore/x", "ref_type": "branch"}, tip=None)
    assert gone == Destroy("chore/x", "chore/x is gone from the remote.", classless=True)


@pytest.mark.parametrize(
    ("environ", "event", "expected"),
    [
        pytest.param(github("schedule"), {"schedule": "0 3 * * *"}, Gc(), id="github nightly"),
        pytest.param(github("workflow_dispatch"), {"inputs": None}, Gc(), id="github by hand, without a branch"),
        pytest.param(
            GITLAB | {"CI_PIPELINE_SOURCE": "schedule", "CI_COMMIT_BRANCH": "main"}, {}, Gc(), id="gitlab nightly"
        ),
        pytest.param(
            BUILDKITE | {"BUILDKITE_SOURCE": "schedule", "BUILDKITE_BRANCH": "main"}, {}, Gc(), id="buildkite nightly"
        ),
        pytest.param(
            GITLAB | {"CI_ENVIRONMENT_ACTION": "stop", "CI_PIPELINE_SOURCE": "push", "CI_COMMIT_BRANCH": REF},
            {},
            Destroy(REF, f"The CI was told to stop the environment of {REF}.", asked_for=True),
            id="gitlab stops an environment",
        ),
        pytest.param(
            REQUEST | {"CI_ENVIRONMENT_ACTION": "stop"},
            {},
            Destroy(REF, f"The CI was told to stop the environment of {REF}.", asked_for=True),
            id="gitlab stops a merge request's environment",
        ),
        *(
            pytest.param(
                github(name),
                {"action": "created"},
                Skip("What started this CI run concerns no branch. To deploy one all the same, set DEPLOYTAG_BRANCH."),
                id=f"github {name}, whose ref is the default branch",
            )
            for name in ("issue_comment", "workflow_run", "repository_dispatch")
        ),
    ],
)
def test_what_needs_no_look_at_the_remote(environ: Mapping[str, str], event: Mapping[str, Any], expected: Plan) -> None:
    assert decide(environ, lambda: event, never, never, POLICY) == expected


@pytest.mark.parametrize(
    ("environ", "event"),
    [
        pytest.param(
            github("pull_request", "refs/pull/3/merge", **PULL),
            {"action": action} | pull_request(repository),
            id=f"github, {action}, {repository}",
        )
        for action in ("opened", "closed")
        for repository in ("eve/shop", None)
    ]
    + [
        pytest.param(
            REQUEST | {"CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "8", "CI_ENVIRONMENT_ACTION": "stop"}, {}, id="gitlab"
        ),
        pytest.param(JENKINS | {"CHANGE_ID": "3", "CHANGE_BRANCH": REF, "CHANGE_FORK": "eve"}, {}, id="jenkins"),
        pytest.param(BUILDKITE | {"BUILDKITE_BRANCH": f"eve:{REF}"}, {}, id="buildkite"),
    ],
)
def test_a_fork_neither_deploys_nor_destroys(environ: Mapping[str, str], event: Mapping[str, Any]) -> None:
    """Its branch has the name of one of ours."""
    skipped = decide(environ, lambda: event, never, never, POLICY)
    assert isinstance(skipped, Skip)
    assert skipped.why.startswith(f"The branch {REF} comes from a fork")


@pytest.mark.parametrize(
    ("environ", "event"),
    [
        pytest.param(github("push"), {}, id="github push"),
        pytest.param(
            github("pull_request", GITHUB_HEAD_REF="main"),
            {"action": "opened"} | pull_request("acme/shop"),
            id="github pull request of a branch without a class",
        ),
        pytest.param({"DEPLOYTAG_BRANCH": "main"}, {}, id="a hook"),
    ],
)
def test_a_branch_of_no_class_is_told_which_deploy(environ: Mapping[str, str], event: Mapping[str, Any]) -> None:
    assert plan(environ, event, tip=SHA) == Skip(NO_CLASS, "main")


def test_a_deleted_branch_is_destroyed_even_when_no_class_is_left_for_it() -> None:
    gone = plan(github("delete"), {"ref": "old/x", "ref_type": "branch"}, tip=None)
    assert isinstance(gone, Destroy)
    assert gone.ref == "old/x"


def test_a_deleted_tag_of_that_name_is_the_same_ref() -> None:
    assert plan(github("delete"), {"ref": REF, "ref_type": "tag"}, tip=None) == GONE


@pytest.mark.parametrize("tip", [None, SHA])
def test_trying_it_in_a_checkout_never_destroys(tip: str | None) -> None:
    """Nobody said that the branch was deleted: it may never have been pushed."""
    tried = plan({}, {}, tip, Head(REF, SHA))
    if tip:
        assert tried == Deploy(REF, SHA)
    else:
        assert isinstance(tried, Skip)
        assert tried.why.startswith(f"The remote has no {REF}, so there is nothing to deploy. Push it first.")


def test_a_remote_that_does_not_answer_decides_nothing() -> None:
    def unreachable(_: str) -> str | None:
        raise UnreachableError("down")

    with pytest.raises(UnreachableError):
        decide(github("delete"), lambda: {"ref": REF}, never, unreachable, POLICY)


@pytest.mark.parametrize("event", [{}, {"ref": None}, {"ref": ""}, {"ref": 3}])
def test_a_deletion_without_a_name_is_a_sentence(event: Mapping[str, Any]) -> None:
    """GITHUB_REF is the default branch then: it must not be taken for what was deleted."""
    with pytest.raises(RefError, match="GitHub says that a branch was deleted, but no event"):
        plan(github("delete"), event, tip=None)


def test_what_an_event_names_is_checked_as_any_ref() -> None:
    with pytest.raises(RefError, match="is no name of a git branch"):
        plan(github("delete"), {"ref": "feature/../main"}, tip=None)


def test_who_states_a_branch_needs_no_event() -> None:
    def unreadable() -> Mapping[str, Any]:
        raise RefError("The GitHub event cannot be read")

    environ = GITHUB | {"GITHUB_EVENT_NAME": "delete", "DEPLOYTAG_BRANCH": REF}
    assert decide(environ, unreadable, never, lambda _: None, POLICY) == GONE
    with pytest.raises(RefError, match="cannot be read"):
        decide(github("delete"), unreadable, never, never, POLICY)
