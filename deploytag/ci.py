"""What the CI systems' own variables say about the branch, the commit and the occasion (pure).

Each system is two functions from its variables, to a `Ref` and to a `Trigger`; the tests hold a table of real-looking
environments.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Literal

from deploytag.errors import ForkError, RefError

Environ = Mapping[str, str]
Event = Mapping[str, Any]
Kind = Literal["branch", "tag"]


@dataclass(frozen=True, slots=True)
class Ref:
    """The branch or tag this run is for."""

    name: str
    """As git spells it, without `refs/heads/`. A tag and a branch of the same name are the same ref to DeployTag."""
    source: str
    """Who said so: a variable's name, `configuration` or `git`."""
    kind: Kind = "branch"


class Trigger(Enum):
    """What made a CI start this run."""

    PUSH = auto()
    """A commit on a branch or tag, by a push or a pull request, or somebody asked for it to be run again."""
    DELETION = auto()
    """The branch or tag was deleted."""
    CLOSED = auto()
    """A pull request was closed. Its branch may live on, and have another one."""
    STOP = auto()
    """Somebody asked for the end of the branch's environment."""
    SCHEDULE = auto()
    """Housekeeping: the clock, or a person who named no branch."""
    OTHER = auto()
    """Something that concerns no branch; the CI then names the default branch."""


def _always_push(*_: object) -> Trigger:
    return Trigger.PUSH


@dataclass(frozen=True, slots=True)
class System:
    """One CI system: how it is recognised, and what it knows."""

    name: str
    recognised: Callable[[Environ], bool]
    ref: Callable[[Environ, Event], Ref | None]
    trigger: Callable[[Environ, Event], Trigger] = _always_push
    commits: tuple[str, ...] = field(default=())
    """Variables with the commit, the best first."""


def detect(environ: Environ) -> System | None:
    """The CI system this run is part of. Its variables count only then: some of their names are common words."""
    return next((system for system in SYSTEMS if system.recognised(environ)), None)


def commit(system: System, environ: Environ, event: Event) -> str | None:
    """The commit that the CI works on, where its variables name one."""
    # For a pull request GITHUB_SHA is a merge that GitHub made and nobody pushed: people look for what they pushed.
    pushed = _text(event, "pull_request", "head", "sha") if system.name == "GitHub Actions" else None
    found = [pushed, *(environ.get(variable) for variable in system.commits)]
    # Buildkite says "HEAD" for a build that was started by hand.
    return next((sha for sha in found if sha and re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", sha)), None)


def _github(environ: Environ, event: Event) -> Ref | None:
    if _github_trigger(environ, event) is Trigger.DELETION:
        return _github_deleted(event)
    head = environ.get("GITHUB_HEAD_REF") or _text(event, "pull_request", "head", "ref")
    if head:
        # The event alone tells a fork's branch from one of ours, so without it nothing is assumed.
        if not _get(event, "pull_request"):
            raise RefError(
                f"GITHUB_HEAD_REF is {head}, a pull request, but no event (GITHUB_EVENT_PATH) says whether it comes "
                "from a fork. Set DEPLOYTAG_BRANCH to its branch to deploy it."
            )
        ours = _text(event, "pull_request", "base", "repo", "full_name") or environ.get("GITHUB_REPOSITORY")
        theirs = _text(event, "pull_request", "head", "repo", "full_name")
        if theirs is None or theirs != ours:
            raise _fork(head, theirs or "a repository that is gone")
        return Ref(head, "GITHUB_HEAD_REF" if environ.get("GITHUB_HEAD_REF") else "GITHUB_EVENT_PATH")
    full = environ.get("GITHUB_REF", "")
    if full.startswith("refs/pull/"):
        raise RefError(
            f"GITHUB_REF is {full}, a pull request, but neither GITHUB_HEAD_REF nor the event names its branch. "
            "Set DEPLOYTAG_BRANCH to it."
        )
    if environ.get("GITHUB_REF_TYPE") == "tag" and environ.get("GITHUB_REF_NAME"):
        return Ref(environ["GITHUB_REF_NAME"], "GITHUB_REF_NAME", "tag")
    return _full_ref(full, "GITHUB_REF") or _branch(environ, "GITHUB_REF_NAME")


def _github_deleted(event: Event) -> Ref:
    """GITHUB_REF is the default branch now: GitHub's variables never name what is gone."""
    name = _text(event, "ref")
    if not name:
        raise RefError(
            "GitHub says that a branch was deleted, but no event (GITHUB_EVENT_PATH) names it. "
            "Set DEPLOYTAG_BRANCH to it."
        )
    if _get(event, "deleted"):  # a push; only this event spells the ref in full
        return _full_ref(name, "GITHUB_EVENT_PATH") or Ref(name, "GITHUB_EVENT_PATH")
    return Ref(name, "GITHUB_EVENT_PATH", "tag" if _get(event, "ref_type") == "tag" else "branch")


def _github_trigger(environ: Environ, event: Event) -> Trigger:
    name = environ.get("GITHUB_EVENT_NAME", "push")
    if name == "delete" or (name == "push" and _get(event, "deleted") is True):
        return Trigger.DELETION
    if name in ("pull_request", "pull_request_target") and _get(event, "action") == "closed":
        return Trigger.CLOSED
    if name in ("schedule", "workflow_dispatch"):
        return Trigger.SCHEDULE
    return Trigger.PUSH if name in _GITHUB_COMMITS else Trigger.OTHER


_GITHUB_COMMITS = frozenset({"push", "create", "release", "pull_request", "pull_request_target", "pull_request_review"})
"""Events whose ref is what they are about. For any other GITHUB_REF may be the default branch."""


def _gitlab(environ: Environ, _: Event) -> Ref | None:
    if request := _branch(environ, "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME"):
        # In the fork's own project the fork's own variables are at stake; only in ours is it foreign code.
        ours = environ.get("CI_PROJECT_ID") or environ.get("CI_MERGE_REQUEST_PROJECT_ID")
        theirs = environ.get("CI_MERGE_REQUEST_SOURCE_PROJECT_ID")
        if not (ours and theirs):
            raise RefError(
                f"GitLab says that this is a merge request of {request.name}, but not of which project "
                "(CI_MERGE_REQUEST_SOURCE_PROJECT_ID), which may be a fork. Set DEPLOYTAG_BRANCH to the branch "
                "if it is yours."
            )
        if ours != theirs:
            raise _fork(request.name, environ.get("CI_MERGE_REQUEST_SOURCE_PROJECT_PATH", f"project {theirs}"))
        return request
    return _tag(environ, "CI_COMMIT_TAG") or _branch(environ, "CI_COMMIT_BRANCH")


def _gitlab_trigger(environ: Environ, _: Event) -> Trigger:
    if environ.get("CI_ENVIRONMENT_ACTION") == "stop":
        return Trigger.STOP
    return Trigger.SCHEDULE if environ.get("CI_PIPELINE_SOURCE") == "schedule" else Trigger.PUSH


def _jenkins(environ: Environ, _: Event) -> Ref | None:
    if fork := environ.get("CHANGE_FORK"):
        raise _fork(environ.get("CHANGE_BRANCH", environ.get("BRANCH_NAME", "?")), fork)
    # Both are set by the same code of Jenkins' branch-api plugin: one that is too old to tell a fork names no branch.
    if environ.get("CHANGE_ID") and not environ.get("CHANGE_BRANCH"):
        raise RefError(
            f"Jenkins builds the change {environ['CHANGE_ID']}, but CHANGE_BRANCH does not name its branch. "
            "Set DEPLOYTAG_BRANCH to it."
        )
    named = _branch(environ, "CHANGE_BRANCH") or _tag(environ, "TAG_NAME") or _branch(environ, "BRANCH_NAME")
    if named:
        return named
    checkout = environ.get("GIT_BRANCH", "")  # the git plugin: "origin/main", or "detached"
    if checkout in ("", "detached"):
        return None
    return _full_ref(checkout, "GIT_BRANCH") or Ref(checkout.removeprefix("origin/"), "GIT_BRANCH")


def _buildkite(environ: Environ, _: Event) -> Ref | None:
    if tag := _tag(environ, "BUILDKITE_TAG"):
        return tag
    branch = _branch(environ, "BUILDKITE_BRANCH")
    if branch is None:
        return None
    owner, colon, name = branch.name.partition(":")  # no git ref contains a colon: Buildkite puts a fork's owner there
    if colon:
        raise _fork(name, owner)
    ours, theirs = environ.get("BUILDKITE_REPO"), environ.get("BUILDKITE_PULL_REQUEST_REPO")
    if ours and theirs and _owner_and_name(ours) != _owner_and_name(theirs):
        raise _fork(branch.name, theirs)
    return branch


def _buildkite_trigger(environ: Environ, _: Event) -> Trigger:
    return Trigger.SCHEDULE if environ.get("BUILDKITE_SOURCE") == "schedule" else Trigger.PUSH


SYSTEMS = (
    System(
        "GitHub Actions",
        lambda environ: environ.get("GITHUB_ACTIONS") == "true",
        _github,
        _github_trigger,
        ("GITHUB_SHA",),
    ),
    System(
        "GitLab CI",
        lambda environ: environ.get("GITLAB_CI") == "true",
        _gitlab,
        _gitlab_trigger,
        # The first is set where CI_COMMIT_SHA is a merge that GitLab made, as with GITHUB_SHA.
        ("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA", "CI_COMMIT_SHA"),
    ),
    System(
        "Buildkite",
        lambda environ: environ.get("BUILDKITE") == "true",
        _buildkite,
        _buildkite_trigger,
        ("BUILDKITE_COMMIT",),
    ),
    System(
        "Jenkins",
        lambda environ: bool(environ.get("JENKINS_URL") or environ.get("JENKINS_HOME")),
        _jenkins,
        commits=("GIT_COMMIT",),
    ),
)


def _branch(environ: Environ, variable: str) -> Ref | None:
    return Ref(environ[variable], variable) if environ.get(variable) else None


def _tag(environ: Environ, variable: str) -> Ref | None:
    return Ref(environ[variable], variable, "tag") if environ.get(variable) else None


def _full_ref(full: str, source: str) -> Ref | None:
    for prefix, kind in _PREFIXES.items():
        if full.startswith(prefix):
            return Ref(full.removeprefix(prefix), source, kind)
    return None


_PREFIXES: Mapping[str, Kind] = {"refs/heads/": "branch", "refs/tags/": "tag"}


def _fork(branch: str, fork: str) -> ForkError:
    return ForkError(
        f"The branch {branch} comes from a fork ({fork}), so it gets no environment: its code would run with this "
        "project's credentials, and its name could be that of a branch of ours. To deploy it after reading it, push it "
        "to this repository as fork/OWNER/BRANCH, where the policy names a class for `forks`."
    )


def _owner_and_name(url: str) -> str:
    """`acme/shop` of any way to write a repository's address."""
    return "/".join(re.split(r"[/:]+", url.strip().removesuffix("/").removesuffix(".git"))[-2:]).lower()


def _text(event: Event, *keys: str) -> str | None:
    """As `_get`; None for what is no text."""
    value = _get(event, *keys)
    return value if isinstance(value, str) else None


def _get(event: Event, *keys: str) -> Any:
    value: Any = event
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value
