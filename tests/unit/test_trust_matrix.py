"""The trust matrix: what each name is given, and what may be done with each class. By the decisions themselves."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from pydantic import ValidationError

from deploytag.delivery.engine import EngineResult
from deploytag.delivery.events import Step
from deploytag.delivery.inventory.things import Inventory, Item, Kind, Owner
from deploytag.delivery.lifetime import expiry
from deploytag.delivery.pipeline.plan import Deploy, Plan, Skip, decide
from deploytag.delivery.progress import Progress
from deploytag.delivery.protection import refuse_ending
from deploytag.delivery.record import Record
from deploytag.delivery.removal import gc
from deploytag.delivery.removal.destroy import protection
from deploytag.errors import ProtectedError, RefError, SettingsError
from deploytag.identity import identify
from deploytag.repository import Head
from deploytag.settings import EnvironmentClass, Policy
from tests.unit.ci_environments import BUILDKITE, GITLAB, JENKINS, SHA, github, pull_request

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PLAIN = {"database": False, "migrations": False}
DOCUMENT: dict[str, Any] = {
    "cluster": {"server": "https://cluster.test:6443"},
    "forks": "foreign",
    "classes": {
        "feature": {"pattern": "feature/*", "secrets": ["staging/app"], "database_key": "staging/key", "ttl": "14d"},
        "product": {"pattern": "product", "secrets": ["product/app"], **PLAIN},
        "main": {"pattern": "main", "secrets": ["production/app"], "protected": True, **PLAIN},
        "foreign": {"pattern": "fork/*", "secrets": [], "ttl": "1d", **PLAIN},
    },
}
POLICY = Policy.model_validate(DOCUMENT)
NOBODY = None

NAMES = {
    "feature/x": "feature",
    "feature/x/y": "feature",
    "feature/product": "feature",
    "feature/main": "feature",
    "feature": NOBODY,
    "features/x": NOBODY,
    "x/feature/y": NOBODY,
    "Feature/x": NOBODY,
    "FEATURE/x": NOBODY,
    "\uff46eature/x": NOBODY,  # a full-width f
    "f\u0435ature/x": NOBODY,  # a Cyrillic letter for the e
    "feature\u2215x": NOBODY,  # a division slash
    "feature\u200b/x": NOBODY,  # a space without width
    "product": "product",
    "product-x": NOBODY,
    "production": NOBODY,
    "product/x": NOBODY,
    "\u0440roduct": NOBODY,  # a Cyrillic letter for the p
    "main": "main",
    "main-x": NOBODY,
    "main/x": NOBODY,
    "Main": NOBODY,
    "ma\u0131n": NOBODY,  # a dotless i
    "origin/main": NOBODY,
    "refs/heads/main": NOBODY,  # a branch that is really called so
    "v1.0": NOBODY,
    "fork/eve/feature/x": "foreign",
    "fork/eve/main": "foreign",
    "fork": NOBODY,
    "forks/eve/x": NOBODY,
    "Fork/eve/x": NOBODY,
}
IMPOSSIBLE = (
    *("feature/../prod", "../main", "feature/x\nmain", "feature/x main", "-main", "feature/x.lock", "fork/"),
    *("feature//x", "feature/\x00x", "feature/x~1", "main@{0}", "HEAD", "refs/heads/feature/../main"),
)
"""No branch of git has these names: who says them is mistaken, or means harm."""


def plan(stated: str, environ: dict[str, str] | None = None, event: dict[str, Any] | None = None) -> Plan:
    """What a pipeline does for a branch that is on the remote."""
    named = {"DEPLOYTAG_BRANCH": f"refs/heads/{stated}"} if environ is None else environ
    return decide(named, lambda: event or {}, lambda: Head(None, SHA), lambda _: SHA, POLICY)


@pytest.mark.parametrize(("ref", "name"), NAMES.items(), ids=map(ascii, NAMES))
def test_what_a_name_is_given(ref: str, name: str | None) -> None:
    planned = plan(ref)
    if name is None:
        with pytest.raises(SettingsError, match="belongs to no class"):
            POLICY.class_of(ref)
        assert isinstance(planned, Skip)
        assert "belongs to no class" in planned.why
    else:
        assert POLICY.class_name_of(ref) == name
        assert planned == Deploy(ref, SHA)
        identify("shop", ref)


@pytest.mark.parametrize("ref", IMPOSSIBLE, ids=map(ascii, IMPOSSIBLE))
def test_what_is_no_name_is_given_nothing(ref: str) -> None:
    with pytest.raises(RefError):
        plan(ref)
    with pytest.raises(RefError):
        identify("shop", ref)


def test_no_two_names_share_anything() -> None:
    made = [identify("shop", ref) for ref in NAMES]
    for attribute in ("stack", "namespace", "database", "role", "host"):
        assert len({getattr(it, attribute) for it in made}) == len(NAMES)


@pytest.mark.parametrize(
    ("environ", "event"),
    [
        (github("pull_request", "refs/pull/7/merge", GITHUB_HEAD_REF="feature/x"), pull_request("eve/shop")),
        (github("pull_request_target", GITHUB_HEAD_REF="feature/x"), pull_request("eve/shop")),
        (github("pull_request_target", GITHUB_HEAD_REF="main"), pull_request(None)),
        (
            GITLAB | {"CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "main", "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "8"},
            {},
        ),
        (JENKINS | {"CHANGE_ID": "3", "CHANGE_BRANCH": "main", "CHANGE_FORK": "eve"}, {}),
        (BUILDKITE | {"BUILDKITE_BRANCH": "eve:main"}, {}),
        (BUILDKITE | {"BUILDKITE_BRANCH": "main", "BUILDKITE_PULL_REQUEST_REPO": "git://github.com/eve/shop.git"}, {}),
    ],
)
def test_a_forks_branch_of_our_name_is_nobodys(environ: dict[str, str], event: dict[str, Any]) -> None:
    planned = plan("", environ, event)
    assert isinstance(planned, Skip)
    assert "comes from a fork" in planned.why
    assert "fork/OWNER/BRANCH" in planned.why


def test_without_a_class_for_forks_no_pattern_takes_them() -> None:
    everything = {"pattern": "*", "secrets": ["staging/app"], **PLAIN}
    policy = Policy.model_validate({**DOCUMENT, "forks": None, "classes": {"all": everything}})
    assert policy.class_name_of("feature/x") == "all"
    with pytest.raises(SettingsError, match="the code of forks"):
        policy.class_of("fork/eve/feature/x")
    # Nor by a class that stands before that of the forks.
    both = Policy.model_validate(
        {**DOCUMENT, "classes": {"all": everything, "foreign": DOCUMENT["classes"]["foreign"]}}
    )
    assert both.class_name_of("fork/eve/x") == "foreign"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"forks": "nobody"}, "which is none of"),
        ({"forks": "main"}, "which is protected"),
        ({"forks": None}, "have the class that `forks` names"),
        ({"caps": {"classes": {"nobody": 1}}}, "caps.classes names nobody"),
        ({"remote": "origin"}, "Extra inputs"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Policy.model_validate({**DOCUMENT, **change})


ACTIONS = {
    # class: variables, database, destroyed without force, collected when its branch is gone, when idle, replaced
    "feature": ("staging/app", True, True, True, True, True),
    "product": ("product/app", False, True, True, False, True),
    "main": ("production/app", False, False, False, False, False),
    "foreign": (None, False, True, True, True, True),
}


@dataclass(frozen=True)
class Planned:
    """A program that would do this."""

    steps: Sequence[Step]

    def preview(self) -> tuple[EngineResult, Sequence[Step]]:
        return EngineResult(0), self.steps


def refused(cls: EnvironmentClass, ref: str, steps: Sequence[Step]) -> bool:
    try:
        refuse_ending(cls, ref, Planned(steps), Progress(StringIO()))
    except ProtectedError:
        return True
    return False


@pytest.mark.parametrize(("name", "row"), ACTIONS.items(), ids=ACTIONS)
def test_what_may_be_done_with_a_class(name: str, row: tuple[str | None, bool, bool, bool, bool, bool]) -> None:
    cls = POLICY.classes[name]
    ref = cls.pattern.replace("*", "x")
    identity = identify("shop", ref)
    old = NOW - timedelta(days=99)
    record = Record(project="shop", ref=ref, stack="s", namespace="n", environment_class=name, pushed=old)
    there = Inventory((Item(Kind.NAMESPACE, identity.namespace, Owner("shop", ref)),), {ref: record})
    facts = gc.Facts(
        refs={"other": SHA},
        remote_error="",
        branches=1,
        branches_before=None,
        inventory=there,
        live=frozenset(),
        policy=POLICY,
        now=NOW,
    )
    type_ = "kubernetes:core/v1:Namespace"
    ending = [Step("replace", f"urn:pulumi:s::shop::{type_}::shop-namespace", type_, "begun")]
    end = expiry(record, cls)
    assert row == (
        cls.secrets[0].id if cls.secrets else None,
        cls.database,
        protection(identity, cls, None) is None,
        bool(gc.decide(facts).entries),
        end is not None and end < NOW,
        not refused(cls, ref, ending),
    )
