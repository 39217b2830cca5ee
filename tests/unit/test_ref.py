"""Who decides which branch this is, and what real checkouts say."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from deploytag.ci import Ref
from deploytag.errors import ForkError, RefError
from deploytag.ref import decide_ref, find_ref, find_revision
from deploytag.repository import Head
from tests.unit.checkout import Checkout
from tests.unit.ci_environments import GITHUB, JENKINS, MERGE, SHA, never, pull_request


def test_the_first_that_knows_wins() -> None:
    everything = GITHUB | {"GITHUB_REF": "refs/heads/from-ci", "DEPLOYTAG_BRANCH": "from-variable"}
    assert decide_ref("configured", everything, dict, never) == Ref("configured", "configuration")
    assert decide_ref(None, everything, dict, never) == Ref("from-variable", "DEPLOYTAG_BRANCH")
    assert decide_ref("", everything | {"DEPLOYTAG_BRANCH": ""}, dict, never) == Ref("from-ci", "GITHUB_REF")
    assert decide_ref(None, {}, dict, lambda: Head("from-git", SHA)) == Ref("from-git", "git")


def test_a_full_ref_may_be_given() -> None:
    assert decide_ref("refs/heads/feature/test", {}, dict, never) == Ref("feature/test", "configuration")
    assert decide_ref(None, {"DEPLOYTAG_BRANCH": "refs/tags/v1"}, dict, never) == Ref("v1", "DEPLOYTAG_BRANCH", "tag")


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        (GITHUB | {"GITHUB_REF": "refs/pull/3/merge", "GITHUB_REF_NAME": "3/merge"}, "GITHUB_REF is refs/pull/3/merge"),
        (
            GITHUB | {"GITHUB_HEAD_REF": "feature/test"},
            "no event (GITHUB_EVENT_PATH) says whether it comes from a fork",
        ),
        (JENKINS | {"BRANCH_NAME": "PR-3", "CHANGE_ID": "3"}, "Jenkins builds the change 3"),
        (JENKINS | {"GIT_BRANCH": "detached"}, f"HEAD is detached at {SHA[:12]}"),
        ({}, f"HEAD is detached at {SHA[:12]}"),
        ({"DEPLOYTAG_BRANCH": "feature test"}, "'feature test' is no name of a git branch or tag: it contains ' '"),
    ],
)
def test_what_cannot_be_told_is_a_sentence(environ: Mapping[str, str], sentence: str) -> None:
    with pytest.raises(RefError) as caught:
        decide_ref(None, environ, dict, lambda: Head(None, SHA))
    assert sentence in str(caught.value)


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


def test_an_event_that_cannot_be_read_matters_only_when_it_decides(tmp_path: Path) -> None:
    environ = GITHUB | {"GITHUB_HEAD_REF": "feature/test", "GITHUB_EVENT_PATH": str(tmp_path)}
    with pytest.raises(RefError, match="set DEPLOYTAG_BRANCH"):
        find_ref(environ, None, tmp_path)
    assert find_ref(environ, "feature/test", tmp_path).source == "configuration"
    assert find_ref(environ | {"DEPLOYTAG_BRANCH": "feature/test"}, None, tmp_path).source == "DEPLOYTAG_BRANCH"
    assert find_revision(environ, tmp_path) == MERGE
