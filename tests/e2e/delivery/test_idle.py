"""What nobody pushes to sleeps, keeps its address, and is woken by the next push.

In a project of its own, because a collection takes whatever its project has.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from deploytag.delivery.record import Record
from deploytag.delivery.records import Records
from deploytag.delivery.removal import gc_memory
from deploytag.identity import Identity, identify
from deploytag.ownership import SYSTEM_NAMESPACE
from tests.e2e.delivery.pushing import Pushing, pushing
from tests.e2e.delivery.seeding import Seeds, open_world
from tests.e2e.names import own
from tests.e2e.program.checkout import page
from tests.e2e.program.inventory import kubectl
from tests.e2e.rights import deployed_by_the_wrapper

pytestmark = pytest.mark.e2e

PROJECT, REF = own("idletest"), "feature/idle"
IDENTITY = identify(PROJECT, REF)


@pytest.fixture
def it(tmp_path: Path) -> Iterator[Pushing]:
    """The sample application without what is not needed; its CronJob is."""
    with deployed_by_the_wrapper(PROJECT):
        try:
            with pushing(tmp_path) as made:
                made.checkout.edit("Pulumi.yaml", "name: shop", f"name: {PROJECT}")
                made.small(sleep_after="12h", ttl="14d")
                settings(made, tests=None)
                yield made
        finally:
            outliving = (
                f"{IDENTITY.namespace}.tombstone",
                gc_memory.name(PROJECT),
                f"{identify(PROJECT, 'admissions').namespace}.admissions",
            )
            kubectl("delete", "configmap", "-n", SYSTEM_NAMESPACE, "--ignore-not-found", *outliving)


def settings(it: Pushing, *, tests: list[str] | None) -> None:
    path = it.path / "deploytag.yaml"
    document = yaml.safe_load(path.read_text())
    document["tests"] = {"command": tests} if tests else None
    document["chart"]["values"] = {name: {"enabled": False} for name in ("redis", "worker")}
    path.write_text(yaml.safe_dump(document))


def what_runs(identity: Identity) -> tuple[list[str], bool]:
    """The names of its pods that are not about to end, and whether its CronJob is suspended."""
    pods = json.loads(kubectl("get", "pods", "-n", identity.namespace, "-o", "json"))["items"]
    jobs = json.loads(kubectl("get", "cronjobs", "-n", identity.namespace, "-o", "json"))["items"]
    running = [
        pod["metadata"]["name"]
        for pod in pods
        if "deletionTimestamp" not in pod["metadata"] and pod["status"]["phase"] in ("Pending", "Running")
    ]
    return running, [job["spec"]["suspend"] for job in jobs] == [True]


def await_no_pods(identity: Identity) -> None:
    """Until what was told to end has ended. The migration's pod ended long ago, and is kept."""
    which = ("--field-selector", "status.phase=Running", "-n", identity.namespace)
    kubectl("wait", "pods", *which, "--for=delete", "--timeout=60s")


def row(it: Pushing) -> dict[str, Any]:
    """Its line of `ls`."""
    done = it.checkout.run("sh", "-c", "deploytag ls --json 2>/dev/null")
    assert done.ok, done.output
    [found] = [row for row in json.loads(done.output) if row["ref"] == REF]
    return dict(found)


def records(it: Pushing) -> Records:
    return Records(Seeds(open_world(PROJECT, it.path)).cluster)


def record(it: Pushing) -> Record:
    found = records(it).get(IDENTITY)
    assert found is not None
    return found


def names(it: Pushing, commit: str) -> None:
    """Let the record say that this commit is deployed."""

    def named(now: Record) -> Record:
        assert now.deployed is not None
        return now.model_copy(update={"deployed": now.deployed.model_copy(update={"revision": commit})})

    records(it).amend(IDENTITY, named)


def test_what_nobody_uses_sleeps_until_somebody_does(it: Pushing) -> None:
    first = it.push(REF)
    url = it.report("deploy")["url"]
    pods, suspended = what_runs(IDENTITY)
    assert (len(pods), suspended, page(url)["revision"]) == (1, False, first)

    # Put to sleep: nothing runs, and nothing will.
    slept = it.report("sleep", REF)
    assert (slept["outcome"], slept["reason"]) == ("asleep", None), "all of it"
    await_no_pods(IDENTITY)
    assert what_runs(IDENTITY) == ([], True)
    with pytest.raises(httpx.TransportError):
        page(url)
    assert it.report("sleep", REF)["outcome"] == "unchanged"

    # A push whose tests fail wakes nothing. It is not hidden by what is done with the commit that is deployed.
    settings(it, tests=["false"])
    failing, began = it.push(REF), datetime.now(UTC)
    done = it.deploytag("deploy")
    assert done.code == 10, done.output
    assert (what_runs(IDENTITY), record(it).asleep) == (([], True), True)
    assert record(it).pushed >= began, "it counts against idleness all the same"
    assert it.report("wake", REF)["outcome"] == "awake"
    assert (page(url)["revision"], what_runs(IDENTITY)[1]) == (first, False)
    seen = row(it)
    assert (seen["state"], seen["revision"]) == ("serving", first)
    assert seen["note"].startswith(failing[:12])
    assert "the tests failed" in seen["note"]

    # A collection puts to sleep what nobody pushed to for so long, and no more than that.
    collected = it.report("gc", "--yes")
    assert collected["entries"] == []
    records(it).amend(IDENTITY, lambda now: now.model_copy(update={"pushed": now.pushed - timedelta(hours=13)}))
    # Whoever deploys may write records: that of another class's environment names a commit of theirs.
    others = it.push("feature/other")
    it.switch(REF)
    names(it, others)
    [entry] = it.report("gc", "--yes")["entries"]
    assert (entry["deed"], entry["outcome"]) == ("sleep", "skipped"), entry
    assert f"{others[:12]}, which is said to be deployed for {REF}, is no commit of that branch" in entry["why"]
    done = it.deploytag("sleep", REF)
    assert (done.code, "is no commit of that branch" in done.output) == (4, True), done.output
    assert (page(url)["revision"], record(it).asleep) == (first, False)
    names(it, first)
    [entry] = it.report("gc", "--yes")["entries"]
    assert (entry["deed"], entry["ref"], entry["outcome"]) == ("sleep", REF, "done"), entry
    await_no_pods(IDENTITY)
    assert what_runs(IDENTITY) == ([], True)
    seen = row(it)
    assert (seen["state"], seen["note"].startswith(failing[:12])) == ("asleep", True)
    assert it.report("gc", "--yes")["entries"] == []

    # The next push wakes it, at the address that it had.
    settings(it, tests=None)
    woken = it.push(REF)
    report = it.report("deploy")
    assert (report["outcome"], report["url"], page(url)["revision"]) == ("deployed", url, woken)
    pods, suspended = what_runs(IDENTITY)
    assert (len(pods), suspended) == (1, False)
    seen = row(it)
    assert (seen["state"], seen["revision"], seen["note"]) == ("serving", woken, None)
