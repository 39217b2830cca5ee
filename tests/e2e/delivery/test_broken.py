"""`deploytag deploy` of the sample application with one more workload, which is broken: it says why, at its end."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.e2e.delivery.charts import BROKEN
from tests.e2e.delivery.pushing import Pushing, pushing
from tests.e2e.names import own
from tests.e2e.program.inventory import kubectl

pytestmark = pytest.mark.e2e

RESTRICTED = {
    "automountServiceAccountToken": False,
    "securityContext": {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
}
HARDENED = {"securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}}
FATAL = {"BackOff", "Failed", "FailedScheduling", "Unhealthy"}
"""Reasons of the events after which nothing comes right any more."""


@pytest.fixture
def branch(tmp_path: Path) -> Iterator[Pushing]:
    with pushing(tmp_path) as it:
        it.small(database=False, database_key=None, migrations=False)
        yield it


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("crash", "cannot find module app"),
        ("image", "debian:no-such-tag"),
        ("unschedulable", "nodes"),
        ("hook", "relation orders exists already"),
        ("readiness-probe", "not today"),
    ],
)
def test_a_broken_deployment_ends_with_its_cause(branch: Pushing, case: str, said: str) -> None:
    ref = own(f"feature/broken-{case}")
    template = branch.path / "charts" / "app" / "templates" / "broken.yaml"
    template.write_text("\n---\n".join(json.dumps(restricted(it)) for it in broken(case)))
    branch.push(ref)
    done = branch.deploytag("deploy", ref)
    ended = datetime.now(UTC)
    assert done.code == 11, done.output
    last = "\n".join(done.output.splitlines()[-10:])
    assert said in last, done.output
    assert f"deploytag why {ref}" in last
    # The release failed because the run was ended, and not after Helm's own patience. A failed hook both see at once.
    # How long after the first event that is: tests/unit/delivery/test_causes.py, by what a cluster said.
    if case != "hook":
        [cause] = re.findall(r"was not deployed: (.+)", done.output)
        assert "failed Release" in done.output, done.output
        assert done.output.index(cause) < done.output.index("failed Release"), done.output
    print(
        f"{case}: ended {(ended - first_fatal(branch.identity(ref).namespace)).total_seconds():.0f} s after the event"
    )


def test_what_breaks_while_the_address_is_verified_is_the_cause(branch: Pushing) -> None:
    """Helm is long done, as no probe keeps it waiting. No Service knows the pod, and the address shows no commit."""
    ref = own("feature/broken-late")
    settings = yaml.safe_load((branch.path / "deploytag.yaml").read_text())
    settings["verify"] = {"header": "X-Nowhere", "timeout": 120}
    (branch.path / "deploytag.yaml").write_text(yaml.safe_dump(settings))
    template = branch.path / "charts" / "app" / "templates" / "broken.yaml"
    template.write_text("\n---\n".join(json.dumps(restricted(it)) for it in BROKEN["slow-crash"]))
    branch.push(ref)
    done = branch.deploytag("deploy", ref)
    assert done.code == 11, done.output
    assert "no database" in done.output
    assert "ends again and again" in "\n".join(done.output.splitlines()[-4:]), done.output


def test_after_a_broken_push_what_was_deployed_before_is_said_to_serve(branch: Pushing) -> None:
    ref = own("feature/broken-second")
    first = branch.push(ref)
    url = branch.report("deploy", ref)["url"]
    branch.checkout.edit(
        "charts/app/templates/web.yaml",
        "          ports:\n",
        "          command: [no-such-program]\n          ports:\n",
    )
    branch.push(ref)
    failed = branch.report("deploy", ref, code=11)
    assert (failed["outcome"], failed["url"]) == ("failed", url)
    assert "Container web" in failed["reason"]
    page = httpx.get(url).json()
    assert page["revision"] == first


def broken(case: str) -> list[dict[str, Any]]:
    """The workloads of a chart that never comes right, and is never ready."""
    if case not in {"crash", "unschedulable"}:
        return BROKEN[case]
    [it] = json.loads(json.dumps(BROKEN["crash"]))
    pod = it["spec"]["template"]["spec"]
    # Without a probe a kubelet says for a moment that such a pod is ready, and Helm may be content with that.
    pod["containers"][0]["readinessProbe"] = {"exec": {"command": ["true"]}, "initialDelaySeconds": 60}
    if case == "unschedulable":
        # The quota would refuse processors beyond it before anybody looks for a node.
        pod["nodeSelector"] = {"example.com/no": "such-node"}
    return [it]


def restricted(workload: dict[str, Any]) -> dict[str, Any]:
    """The same, as Pod Security `restricted` and the look at a chart want it."""
    it: dict[str, Any] = json.loads(json.dumps(workload))
    spec = it["spec"]["template"]["spec"]
    spec |= RESTRICTED
    for container in spec["containers"]:
        container |= HARDENED
    return it


def first_fatal(namespace: str) -> datetime:
    """When the first event came that says so."""
    found = json.loads(kubectl("get", "events", "-n", namespace, "-o", "json"))["items"]
    times = [it.get("firstTimestamp") or it["eventTime"] for it in found if it["reason"] in FATAL]
    times += [it["lastTimestamp"] for it in found if it["reason"] == "BackoffLimitExceeded"]
    return min(datetime.fromisoformat(time) for time in times)
