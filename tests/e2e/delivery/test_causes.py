"""Broken charts are given up for the right reason and soon; what only takes its time is not."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deploytag.delivery.cluster import Cluster
from deploytag.delivery.diagnosis import logs
from deploytag.delivery.diagnosis.cause import Cause, CauseKind
from deploytag.delivery.diagnosis.watch import Watcher, evidence
from deploytag.identity import Identity, identify
from tests.e2e.delivery.charts import BROKEN, CRASH, HEALTHY, Namespace, deployment, hook, namespace

pytestmark = [pytest.mark.e2e, pytest.mark.sampled(5)]

PATIENCE = 120
"""Seconds until a test gives up on a cause; that it came soon is judged by the objects' own times."""
SOON_ENOUGH = timedelta(seconds=30)


@pytest.fixture
def space(tmp_path: Path) -> Iterator[Namespace]:
    with namespace(tmp_path) as it:
        yield it


def of(space: Namespace) -> Identity:
    """An environment whose namespace this is."""
    return replace(identify("shop", "feature/causes"), namespace=space.name, release="app")


@pytest.mark.parametrize(
    ("case", "kind", "shown"),
    [
        ("crash", CauseKind.CRASH, "| cannot find module app"),
        ("image", CauseKind.IMAGE, "not found"),
        ("resources", CauseKind.UNSCHEDULABLE, "Insufficient cpu"),
        ("hook", CauseKind.HOOK, "| relation orders exists already"),
        ("readiness-probe", CauseKind.NEVER_READY, "Readiness probe failed"),
        ("quota", CauseKind.REFUSED, "exceeded quota: small"),
        ("pod-security", CauseKind.REFUSED, "violates PodSecurity"),
    ],
)
def test_a_broken_chart_is_given_up_soon_and_for_its_reason(
    cluster: Cluster, space: Namespace, case: str, kind: CauseKind, shown: str
) -> None:
    space.guard(case)
    found: list[tuple[Cause, datetime]] = []
    with Watcher(cluster, of(space), lambda cause: found.append((cause, datetime.now(UTC)))) as watcher:
        helm = space.helm(BROKEN[case])
        try:
            cause = watcher.cause_within(PATIENCE)
        finally:
            helm.kill()
            helm.communicate()
    assert cause is not None
    assert cause.kind is kind
    lines = evidence(cluster, of(space), cause)
    assert any(shown in line for line in lines), lines
    assert [it for it, _ in found] == [cause]
    assert found[0][1] - cause.since <= SOON_ENOUGH


def test_no_secret_gets_from_a_log_into_the_evidence(cluster: Cluster, space: Namespace) -> None:
    with Watcher(cluster, of(space), lambda _: None) as watcher:
        helm = space.helm([hook("echo the password is hunter2; exit 1")])
        cause = watcher.cause_within(PATIENCE)
        helm.communicate()
    assert cause is not None
    lines = evidence(cluster, of(space), cause, redact=lambda line: line.replace("hunter2", "[secret]"))
    assert "| the password is [secret]" in lines
    assert "hunter2" not in "".join(lines)


@pytest.mark.parametrize("case", HEALTHY)
def test_what_only_takes_its_time_is_waited_for(cluster: Cluster, space: Namespace, case: str) -> None:
    with Watcher(cluster, of(space), lambda _: None) as watcher:
        helm = space.helm(HEALTHY[case])
        output, _ = helm.communicate()
        assert helm.returncode == 0, output
        assert watcher.cause_within(3) is None


def test_the_run_that_mends_a_crash_loop_is_not_ended_by_it(cluster: Cluster, space: Namespace) -> None:
    with Watcher(cluster, of(space), lambda _: None) as watcher:
        helm = space.helm([CRASH])
        assert watcher.cause_within(PATIENCE) is not None
        helm.kill()
        helm.communicate()
    # What a killed Helm leaves behind is the recovery's; here only the crash loop matters.
    space.kubectl("delete", "secret", "--selector=owner=helm")
    space.kubectl("annotate", "deployment", "app", "meta.helm.sh/release-name=app")
    with Watcher(cluster, of(space), lambda _: None) as watcher:
        helm = space.helm([hook("sleep 20"), deployment()])
        output, _ = helm.communicate()
        assert helm.returncode == 0, output
        assert watcher.cause is None


def test_logs_are_those_of_the_pods_or_of_the_migration(cluster: Cluster, space: Namespace) -> None:
    talking = deployment(command=["sh", "-c", "echo first; echo ready to serve; sleep infinity"])
    helm = space.helm([hook("echo migrated to 7"), talking])
    output, _ = helm.communicate()
    assert helm.returncode == 0, output
    identity = of(space)
    # Helm is done when the container runs, which is before it has printed.
    followed = logs.follow(cluster, identity, migration=False, tail=10)
    assert [next(followed).text, next(followed).text] == ["first", "ready to serve"]
    followed.close()
    read, complaints = logs.read(cluster, identity, migration=False, tail=1)
    assert ([line.text for line in read], complaints) == (["ready to serve"], [])
    assert read[0].source.prefix.startswith("app-")
    migrated, _ = logs.read(cluster, identity, migration=True, tail=10)
    assert [line.text for line in migrated] == ["migrated to 7"]
