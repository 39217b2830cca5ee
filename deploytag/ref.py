"""Which branch this run is for, and which commit it deploys.

The first that knows wins: the configuration, `DEPLOYTAG_BRANCH`, the CI's own variables, the checkout. The decisions
are pure functions of what was read; reading is a few lines around them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from deploytag import ci, repository
from deploytag.ci import Event, Ref, Trigger
from deploytag.documents import DocumentError, parse_json, read_file
from deploytag.errors import RefError
from deploytag.refname import check_ref
from deploytag.repository import Head

LARGEST_EVENT = 32 << 20
"""Bytes; GitHub sends no webhook of more than 25 MB."""

__all__ = [
    "Ref",
    "decide_ref",
    "decide_revision",
    "decide_trigger",
    "find_ref",
    "find_revision",
    "read_event",
]


def find_ref(environ: Mapping[str, str], configured: str | None, repository_path: Path) -> Ref:
    """The branch or tag this run is for. Git is asked only when nobody else knows."""
    return decide_ref(configured, environ, lambda: read_event(environ), lambda: repository.read_head(repository_path))


def find_revision(environ: Mapping[str, str], repository_path: Path) -> str:
    """The commit this run deploys; `-dirty` at its end when it is the checkout's and tracked files differ from it."""

    def checkout() -> str:
        commit = repository.read_head(repository_path).commit
        return f"{commit}-dirty" if repository.changed_files(repository_path) else commit

    return decide_revision(environ, lambda: read_event(environ), checkout)


def decide_ref(
    configured: str | None, environ: Mapping[str, str], event: Callable[[], Event], head: Callable[[], Head]
) -> Ref:
    """Choose among what the configuration, the environment, the CI's event and the checkout say."""
    ref = (
        _stated(configured, "configuration")
        or _stated(environ.get("DEPLOYTAG_BRANCH"), "DEPLOYTAG_BRANCH")
        or _from_ci(environ, event)
        or _from_head(head())
    )
    return replace(ref, name=check_ref(ref.name))


def decide_revision(environ: Mapping[str, str], event: Callable[[], Event], checkout: Callable[[], str]) -> str:
    """Choose among the commits that the environment, the CI and the checkout name."""
    if stated := environ.get("DEPLOYTAG_REVISION"):
        return stated
    system = ci.detect(environ)
    if system and (commit := ci.commit(system, environ, _readable(event))):
        return commit
    return checkout()


def decide_trigger(environ: Mapping[str, str], event: Callable[[], Event]) -> Trigger:
    """What made the CI start this run. Who states a branch means that branch, whatever started the CI."""
    stated = bool(environ.get("DEPLOYTAG_BRANCH"))
    system = ci.detect(environ)
    trigger = system.trigger(environ, _readable(event) if stated else event()) if system else Trigger.PUSH
    return Trigger.PUSH if stated and trigger in (Trigger.SCHEDULE, Trigger.OTHER) else trigger


def _stated(name: str | None, source: str) -> Ref | None:
    """What a person or a script said: a name, or a full ref as git prints it."""
    if not name:
        return None
    if name.startswith("refs/tags/"):
        return Ref(name.removeprefix("refs/tags/"), source, "tag")
    return Ref(name.removeprefix("refs/heads/"), source)


def _from_ci(environ: Mapping[str, str], event: Callable[[], Event]) -> Ref | None:
    system = ci.detect(environ)
    return system.ref(environ, event()) if system else None


def _readable(event: Callable[[], Event]) -> Event:
    """The event, or nothing: unlike the branch, the commit is only shown, and another variable has one too."""
    try:
        return event()
    except RefError:
        return {}


def _from_head(head: Head) -> Ref:
    if head.branch is None:
        raise RefError(
            f"HEAD is detached at {head.commit[:12]}, and no CI variable says which branch this is. "
            "Check the branch out (`git switch BRANCH`) or set DEPLOYTAG_BRANCH."
        )
    return Ref(head.branch, "git")


def read_event(environ: Mapping[str, str]) -> Event:
    """GitHub's description of what happened, the only place that tells a fork's branch from one of ours."""
    path = environ.get("GITHUB_EVENT_PATH")
    if not path or environ.get("GITHUB_ACTIONS") != "true":
        return {}
    try:
        event = parse_json(read_file(Path(path), LARGEST_EVENT))
    except (OSError, DocumentError) as error:
        raise RefError(
            f"The GitHub event in {path} (GITHUB_EVENT_PATH) cannot be read: {error}. Without it a fork's branch "
            "cannot be told from one of ours; set DEPLOYTAG_BRANCH to decide."
        ) from error
    return event if isinstance(event, dict) else {}
