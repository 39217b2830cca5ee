"""Which credentials a pipeline's job is given: those of the class that the policy has for the branch."""

import re
from typing import Any

import jsonschema
import pytest

from deploytag.errors import SettingsError
from deploytag.settings import Policy
from tests.unit.initialise.expressions import condition, evaluate
from tests.unit.initialise.test_pipelines import REGISTRIES, github, gitlab, gitlab_job, vendor_schema

BRANCH = {"database": False, "migrations": False, "secrets": []}


def policy(forks: str | None = None, **patterns: str) -> Policy:
    classes = {name.replace("_", "-"): BRANCH | {"pattern": pattern} for name, pattern in patterns.items()}
    return Policy.model_validate({"cluster": {"server": "https://k"}, "forks": forks, "classes": classes})


POLICIES = {
    "usual": policy(feature="feature/*", bug="bug/*", epic="epic/*"),
    "one name": policy(production="main", feature="feature/*"),
    "the first counts": policy(special="feature/special-*", feature="feature/*", hotfix="*-hotfix", rest="*"),
    "stars within": policy(release="release/*.*", mine="*/mine/*", quoted="it's/*+(x)$"),
    "forks": policy("outside", feature="*/*", outside="outside/*"),
    "no forks": policy(everything="*"),
}
REFS = (
    *(
        "main",
        "mainline",
        "feature/a",
        "feature/a/b",
        "feature/special-1",
        "feature-a",
        "my/feature/a",
        "bug/a",
        "epic/x",
    ),
    *(
        "release/1.2",
        "release/12",
        "a/mine/b",
        "it's/x+(x)$",
        "its/xxx",
        "docs-hotfix",
        "fork/me/feature/a",
        "outside/x",
    ),
)


def job_of(workflow: dict[str, Any], **event: Any) -> dict[str, Any]:
    """The one job that an event starts."""
    event = {"event": {}} | event
    repository = {"full_name": "acme/shop"}
    inner = {"ref_type": "branch", "pull_request": {"merged": True, "head": {"repo": repository}}} | event["event"]
    github = {"repository": "acme/shop"} | event | {"event": inner}
    (job,) = [it for it in workflow["jobs"].values() if condition(it["if"], github=github)]
    return dict(job)


def environment_of(workflow: dict[str, Any], **event: Any) -> list[str]:
    """The environments of the jobs that GitHub makes of an event."""
    job = job_of(workflow, **event)
    made: list[str] = evaluate(job["strategy"]["matrix"]["environment"], github=event)
    return [evaluate(job["environment"], matrix={"environment": name}) for name in made]


def test_nothing_but_a_newer_push_takes_the_place_of_one_that_waits() -> None:
    """Of those that wait in a group GitHub keeps the newest, which is not always the one that knows the tip."""
    (group,) = {job["concurrency"]["group"] for job in github()["jobs"].values()}
    push = {"event_name": "push", "ref_name": "feature/a", "run_attempt": 1, "event": {}}
    others: tuple[dict[str, Any], ...] = (
        push | {"run_attempt": 2},
        push | {"ref_name": "feature/b"},
        push | {"event_name": "delete", "ref_name": "main", "event": {"ref": "feature/a"}},
        push | {"event_name": "pull_request", "ref_name": "7/merge", "head_ref": "feature/a"},
        push | {"event_name": "schedule", "ref_name": "main", "event": {"schedule": "7 3 * * *"}},
        push | {"event_name": "workflow_dispatch", "ref_name": "main"},
    )
    feature, bug = ({"environment": f"deploytag-{cls}"} for cls in ("feature", "bug"))
    groups = [evaluate(group, github=it, matrix=feature) for it in (push, *others)]
    # The sync of a class that waits for its reviewers keeps no other's.
    groups.append(evaluate(group, github=others[4], matrix=bug))
    assert len(set(groups)) == len(groups)
    assert evaluate(group, github={**push, "sha": "newer"}, matrix=feature) == groups[0]


@pytest.mark.parametrize(
    ("name", "event", "starts"),
    [
        ("delete", {"ref": "feature/a", "ref_type": "branch"}, True),
        ("delete", {"ref": "feature/a", "ref_type": "tag"}, False),
        ("delete", {"ref": "gh-readonly-queue/main/pr-7-abc", "ref_type": "branch"}, False),
        ("pull_request", {"pull_request": {"merged": True, "head": {"repo": {"full_name": "acme/shop"}}}}, True),
        ("pull_request", {"pull_request": {"merged": False, "head": {"repo": {"full_name": "acme/shop"}}}}, False),
        ("pull_request", {"pull_request": {"merged": True, "head": {"repo": {"full_name": "fork/shop"}}}}, False),
    ],
)
def test_github_starts_a_job_only_where_a_branch_of_ours_may_be_gone(
    name: str, event: dict[str, Any], starts: bool
) -> None:
    told = {"event_name": name, "repository": "acme/shop", "event": event, "ref_name": "main", "head_ref": "feature/a"}
    jobs = [job for job in github()["jobs"].values() if condition(job["if"], github=told)]
    assert len(jobs) == (1 if starts else 0)


def expected(table: Policy, ref: str) -> str | None:
    try:
        return table.class_name_of(ref)
    except SettingsError:
        return None


@pytest.mark.parametrize("ref", REFS)
@pytest.mark.parametrize("table", POLICIES)
def test_github_gives_a_branchs_job_the_environment_of_its_class(table: str, ref: str) -> None:
    workflow = github(policy=POLICIES[table])
    cls = expected(POLICIES[table], ref)
    events: tuple[dict[str, Any], ...] = (
        {"event_name": "push", "ref_name": ref, "event": {}},
        {"event_name": "delete", "ref_name": "main", "event": {"ref": ref}},
        {"event_name": "pull_request", "head_ref": ref, "ref_name": "7/merge", "event": {}},
    )
    for event in events:
        assert environment_of(workflow, **event) == [f"deploytag-{cls}" if cls else "deploytag"], event["event_name"]


@pytest.mark.parametrize("ref", REFS)
@pytest.mark.parametrize("registry", REGISTRIES)
@pytest.mark.parametrize("table", POLICIES)
def test_a_branch_of_no_class_may_push_no_image(table: str, registry: str, ref: str) -> None:
    workflow = github(registry, policy=POLICIES[table])
    job = job_of(workflow, event_name="push", ref_name=ref)
    (login,) = [step for step in job["steps"] if step.get("uses", "").startswith("docker/login-action@")]
    packages = job["permissions"].get("packages")
    given = {"vars": {"AWS_ROLE_ARN": "arn"}, "env": {"LOGIN": "true"}}
    nothing: dict[str, dict[str, str]] = {"vars": {}, "env": {"LOGIN": "false"}}
    if expected(POLICIES[table], ref):
        assert packages == ("write" if "ghcr.io" in registry else None)
        assert condition(login.get("if", "true"), **given)
        # A registry may need none; where it does, the push says so.
        assert condition(login.get("if", "true"), **nothing) is ("ghcr.io" in registry)
    else:
        assert packages in {None, "read"}
        assert not condition(login["if"], matrix={"environment": "deploytag"}, **given)
        assert condition(login["if"], matrix={"environment": "deploytag.gc"}, **given)
        # gc is to have no login where it is to delete no images.
        assert condition(login["if"], matrix={"environment": "deploytag.gc"}, **nothing) is ("ghcr.io" in registry)


@pytest.mark.parametrize(
    ("own", "login"),
    [({}, ("somebody", "of the job")), ({"REGISTRY_USER": "bot", "REGISTRY_PASSWORD": "own"}, ("bot", "own"))],
)
def test_a_class_may_have_a_login_of_its_own_at_ghcr(own: dict[str, str], login: tuple[str, str]) -> None:
    (step,) = [
        step
        for step in github("ghcr.io/acme")["jobs"]["deploytag"]["steps"]
        if step.get("uses", "").startswith("docker/login-action@")
    ]
    contexts = {"github": {"actor": "somebody"}, "secrets": {"GITHUB_TOKEN": "of the job"} | own}
    assert tuple(evaluate(step["with"][key], **contexts) for key in ("username", "password")) == login


@pytest.mark.parametrize("ref", REFS)
@pytest.mark.parametrize("table", POLICIES)
def test_gitlab_makes_the_jobs_of_the_branchs_class_and_no_other(table: str, ref: str) -> None:
    pipeline = gitlab(policy=POLICIES[table])
    for kind in ("deploy", "stop"):
        jobs = [name for name in pipeline if name.startswith(f"deploytag:{kind}:") and runs(pipeline[name], ref)]
        cls = expected(POLICIES[table], ref)
        assert jobs == ([f"deploytag:{kind}:{cls}"] if cls else [])


def runs(job: dict[str, Any], ref: str) -> bool:
    """Whether GitLab adds the job to a pipeline for a push of `ref`."""
    for rule in job["rules"]:
        found = re.fullmatch(r"\$CI_COMMIT_BRANCH =~ /(.*)/", rule["if"])
        if found and re.search(found[1], ref):
            return bool(rule.get("when") != "never")
    return False


def test_github_syncs_each_class_with_its_own_and_collects_with_others() -> None:
    workflow = github(policy=POLICIES["usual"])
    nightly, hourly = (entry["cron"] for entry in workflow["on"]["schedule"])
    step = workflow["jobs"]["deploytag"]["steps"][-1]["env"]
    scheduled = {"event_name": "schedule", "ref_name": "main"}
    classes = environment_of(workflow, **scheduled, event={"schedule": hourly})
    assert classes == ["deploytag-feature", "deploytag-bug", "deploytag-epic"]
    assert evaluate(step["SYNC"], github={"event": {"schedule": hourly}}) is True
    assert evaluate(step["ENVIRONMENT"], matrix={"environment": "deploytag-bug"}) == "deploytag-bug"
    assert environment_of(workflow, **scheduled, event={"schedule": nightly}) == ["deploytag.gc"]
    assert evaluate(step["SYNC"], github={"event": {"schedule": nightly}}) is False
    by_hand = {"event_name": "workflow_dispatch", "ref_name": "feature/a", "event": {}}
    assert environment_of(workflow, **by_hand) == ["deploytag.gc"], "`deploytag ci` collects then"


def test_gitlab_syncs_each_class_with_its_own_and_collects_with_others() -> None:
    pipeline = gitlab(policy=POLICIES["usual"])
    for name in POLICIES["usual"].classes:
        sync = gitlab_job(pipeline, f"deploytag:sync:{name}")
        assert sync["script"] == [f"./deploytag.sh sync --class {name}"]
        assert sync["environment"] == {"name": f"deploytag/{name}/sync", "action": "access"}
        deploy = gitlab_job(pipeline, f"deploytag:deploy:{name}")
        assert deploy["environment"]["name"] == f"deploytag/{name}/$CI_COMMIT_REF_SLUG"
    assert pipeline["deploytag:gc"]["environment"] == {"name": "deploytag/gc", "action": "access"}


@pytest.mark.parametrize("table", POLICIES)
def test_both_fit_the_vendors_schemas_whatever_the_policy(table: str) -> None:
    jsonschema.validate(github(policy=POLICIES[table]), vendor_schema("github-workflows"))
    jsonschema.validate(gitlab(policy=POLICIES[table]), vendor_schema("gitlab-ci"))
