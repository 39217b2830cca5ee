"""What CI systems are told of a run, and that nobody who names a branch can make them believe something else."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploytag.delivery.pipeline.summary import dotenv, github_output, headline, markdown, write
from deploytag.delivery.removal import collect
from deploytag.delivery.removal.collect import ItemOutcome
from deploytag.delivery.removal.collection import Collection
from deploytag.delivery.removal.gc import Deed, Entry, GcPlan, Note
from deploytag.delivery.removal.gc_run import Collected
from deploytag.delivery.removal.image_gc import ImagePlan
from deploytag.delivery.report import Report, Result, failure
from deploytag.delivery.run import Action
from deploytag.errors import UnreachableError
from tests.schemas import fits

URL = "http://172.30.0.200"
DEPLOYED = Report(
    action=Action.DEPLOY,
    ref="feature/test",
    stack="feature-test",
    outcome=Result.DEPLOYED,
    revision="427d71ecad483fae49c538118b6d360ffc02c4f8",
    url=URL,
    seconds={"tests": 1.26, "up": 12.3, "verify": 0.44},
    repaired=("The release was stuck in pending-upgrade: rolled back to revision 3.",),
    warnings=("The environment is collected in 2 days unless somebody pushes.",),
    expires=datetime(2026, 12, 7, 8, 30, tzinfo=UTC),
)
FAILED = Report(
    action=Action.DEPLOY,
    ref="feature/test",
    stack="feature-test",
    outcome=Result.FAILED,
    url=URL,
    reason="The migration failed.\n  ```relation``` <b>orders</b> exists",
)
SKIPPED = Report(action=Action.DEPLOY, ref=None, stack=None, outcome=Result.SKIPPED, reason="No branch.")
COLLECTED = Collection.of(
    Collected(
        "shop",
        GcPlan(
            entries=(
                Entry(Deed.DESTROY, "feature/a", "the remote has no such branch", (), None),
                Entry(Deed.DESTROY, "feature/b", "the remote has no such branch", (), None),
                Entry(Deed.SLEEP, "feature/c", "no push", (), "a"),
            ),
            warnings=(Note("feature/d", "is collected after tomorrow"),),
            refs=3,
        ),
        ImagePlan(failure=UnreachableError("the registry is silent")),
        [
            collect.ItemResult(ItemOutcome.DONE),
            collect.ItemResult(ItemOutcome.FAILED, "it is held"),
            collect.ItemResult(ItemOutcome.SKIPPED, "a run works"),
        ],
    )
)
GONE = Report(
    action=Action.DESTROY,
    ref="feature/test",
    stack="feature-test",
    outcome=Result.DESTROYED,
    removed=("database shop_feature_test",),
)


def test_a_deployment_as_markdown() -> None:
    assert (
        markdown(DEPLOYED)
        == """\
### `feature/test` is deployed

- URL: <http://172.30.0.200>
- commit: `427d71ecad48`
- stack: `feature-test`
- time: 14.0 s (tests 1.3 s, up 12.3 s, verify 0.4 s)
- expires: `2026-12-07 08:30 UTC`

**Repaired first**

- `The release was stuck in pending-upgrade: rolled back to revision 3.`

**Warnings**

- `The environment is collected in 2 days unless somebody pushes.`
"""
    )


def test_a_failure_as_markdown_quotes_its_reason_as_text() -> None:
    assert (
        markdown(FAILED)
        == """\
### `feature/test` could not be deployed

````text
The migration failed.
  ```relation``` <b>orders</b> exists
````

- what was deployed before still serves at: <http://172.30.0.200>
- stack: `feature-test`
"""
    )


def test_a_collection_as_markdown() -> None:
    assert (
        markdown(COLLECTED)
        == """\
### Not everything could be collected

```text
2 could not be collected:
  destroy feature/b: it is held
  images: the registry is silent
```

**Collected**

- `destroy feature/a: the remote has no such branch`

**Skipped**

- `sleep feature/c: no push -> a run works`

**Left over**

- `destroy feature/b: it is held`
- `images: the registry is silent`

**Collected soon**

- `feature/d is collected after tomorrow`
"""
    )


@pytest.mark.parametrize(
    ("report", "line"),
    [
        (DEPLOYED, "feature/test is deployed: http://172.30.0.200"),
        (DEPLOYED.model_copy(update={"outcome": Result.UNCHANGED}), "feature/test is up to date: http://172.30.0.200"),
        (FAILED, "feature/test could not be deployed"),
        (SKIPPED, "this run: nothing to do"),
        (GONE, "feature/test is gone"),
        (GONE.model_copy(update={"outcome": Result.UNCHANGED}), "feature/test is gone"),
        (failure(UnreachableError("silent")), "this run could not be carried out"),
        (COLLECTED, "Not everything could be collected"),
        (Collection.of(Collected("shop", GcPlan(refs=2), results=[])), "There was nothing to collect"),
    ],
)
def test_the_last_line_of_a_log(report: Report | Collection, line: str) -> None:
    assert headline(report) == line


@pytest.mark.parametrize("outcome", Result)
@pytest.mark.parametrize("action", Action)
def test_every_ending_has_words(action: Action, outcome: Result) -> None:
    report = Report(action=action, ref="x", stack="x", outcome=outcome)
    assert "x" in headline(report)
    assert f"result={outcome}\n" in github_output(report)


def test_what_later_steps_and_jobs_are_given() -> None:
    assert github_output(DEPLOYED) == f"url={URL}\nref=feature/test\nresult=deployed\n"
    assert github_output(SKIPPED) == "url=\nref=\nresult=skipped\n"
    assert dotenv(DEPLOYED) == f"DEPLOYTAG_URL={URL}\nDEPLOYTAG_REF=feature/test\nDEPLOYTAG_RESULT=deployed\n"
    assert dotenv(SKIPPED) == "DEPLOYTAG_RESULT=skipped\n"


@given(st.text(min_size=1), st.text(min_size=1))
def test_no_value_becomes_another_line(ref: str, url: str) -> None:
    hostile = DEPLOYED.model_copy(update={"ref": ref, "url": url})
    assert len(github_output(hostile).splitlines()) == 3
    assert {line.partition("=")[0] for line in dotenv(hostile).splitlines()} <= {
        "DEPLOYTAG_URL",
        "DEPLOYTAG_REF",
        "DEPLOYTAG_RESULT",
    }
    assert len(headline(hostile).splitlines()) == 1


@pytest.mark.parametrize(
    ("ref", "shown"),
    [
        ("feature/`x`", "### `` feature/`x` `` is deployed"),
        ("feature/<img/src=x>", "### `feature/<img/src=x>` is deployed"),
        ("feature/](http://evil)", "### `feature/](http://evil)` is deployed"),
        ("``", "### ``` `` ``` is deployed"),
    ],
)
def test_markdown_in_a_name_is_shown_and_means_nothing(ref: str, shown: str) -> None:
    assert markdown(DEPLOYED.model_copy(update={"ref": ref})).splitlines()[0] == shown


def test_what_is_no_address_is_no_link() -> None:
    odd = DEPLOYED.model_copy(update={"url": "javascript:alert(1)"})
    assert "- URL: `javascript:alert(1)`" in markdown(odd)


def test_a_long_log_keeps_its_first_line_and_its_end() -> None:
    long = FAILED.model_copy(update={"reason": "The migration failed.\n" + "noise\n" * 100_000 + "the cause"})
    text = markdown(long)
    assert len(text) < 25_000
    assert "The migration failed.\n…\n" in text
    assert "the cause\n```" in text


def test_each_ci_is_told_where_it_looks(tmp_path: Path) -> None:
    summary, output = tmp_path / "summary", tmp_path / "output"
    output.write_text("earlier=step\n")
    write(DEPLOYED, {"GITHUB_STEP_SUMMARY": str(summary), "GITHUB_OUTPUT": str(output)}, tmp_path)
    assert summary.read_text() == markdown(DEPLOYED)
    assert output.read_text() == "earlier=step\n" + github_output(DEPLOYED)
    project = tmp_path / "project"
    project.mkdir()
    write(DEPLOYED, {"GITLAB_CI": "true", "CI_PROJECT_DIR": str(project)}, tmp_path)
    assert (project / "deploytag.env").read_text() == dotenv(DEPLOYED)
    write(GONE, {"GITLAB_CI": "true"}, project)
    assert (project / "deploytag.env").read_text() == dotenv(GONE)
    write(DEPLOYED, {}, tmp_path)
    assert not (tmp_path / "deploytag.env").exists()


def test_the_json_of_a_report() -> None:
    document = json.loads(DEPLOYED.model_dump_json())
    assert list(document) == [
        *("outcome", "reason", "kind", "exit_code", "left", "action", "ref", "stack", "revision", "url", "seconds"),
        *("repaired", "removed", "warnings", "expires"),
    ]
    assert Report.model_validate(document) == DEPLOYED
    for report in (DEPLOYED, FAILED, SKIPPED, GONE):
        fits("ci", report.model_dump(mode="json"))
    fits("ci", COLLECTED.model_dump(mode="json"))
