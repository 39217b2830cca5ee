"""The beginnings of what each CI system sets, for tables of tests to add to."""

from typing import Any

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


def github(event: str, ref: str = "refs/heads/main", **more: str) -> dict[str, str]:
    """What GitHub sets for an event; the ref is the default branch's unless the event is about another."""
    kind, _, name = ref.removeprefix("refs/").partition("/")
    variables = {"GITHUB_EVENT_NAME": event, "GITHUB_REF": ref, "GITHUB_REF_NAME": name}
    return GITHUB | variables | {"GITHUB_REF_TYPE": "tag" if kind == "tags" else "branch"} | more


def never(*_: object) -> Any:
    raise AssertionError("git was asked, though somebody else knew")
