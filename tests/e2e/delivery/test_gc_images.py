"""Images in the sandbox's registry: what something refers to stays, what nothing does goes after its time."""

import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client.exceptions import ApiException

from deploytag.delivery.removal import gc_memory
from deploytag.delivery.removal.gc_memory import GcMemory
from deploytag.delivery.world import World
from deploytag.identity import identify
from tests.e2e.delivery.images import REGISTRY, push, stored
from tests.e2e.delivery.seeding import Seeds, open_world, remote_of, repository
from tests.e2e.delivery.test_gc import KEPT, POLICY
from tests.e2e.names import own
from tests.e2e.program.checkout import sandbox_environ
from tests.e2e.rights import deployed_by_the_wrapper
from tests.e2e.typed import apps, core
from tests.schemas import fits

pytestmark = pytest.mark.e2e

PROJECT = own("gctestimages")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    checkout = repository(tmp_path, POLICY)
    project = {"name": PROJECT, "runtime": "python", "config": {"registry": {"default": REGISTRY}}}
    (checkout / "Pulumi.yaml").write_text(json.dumps(project))
    remote_of(checkout, tmp_path / "remote.git", KEPT)
    it, kept = open_world(PROJECT, checkout), identify(PROJECT, KEPT)
    Seeds(it).namespace(kept)
    try:
        with deployed_by_the_wrapper(PROJECT):
            yield it
    finally:
        Seeds(it).clear(kept)
        try:
            core(Seeds(it).cluster).delete_namespaced_config_map(gc_memory.name(PROJECT), "deploytag-system")
        except ApiException as error:
            assert error.status == 404


def collect(world: World) -> dict[str, Any]:
    command = ["deploytag", "gc", "--yes", "--json"]
    done = subprocess.run(
        command, cwd=world.repository, env=sandbox_environ(), capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    fits("gc", report)
    return report


def test_what_nothing_refers_to_goes_after_its_time(world: World) -> None:
    used, unused, cache, newest = (push(PROJECT, tag) for tag in ("used", "unused", "cache-unused", "cache"))
    labels = {"app": "gctest"}
    # Nothing runs: that a pod could be started from it is enough.
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", "image": f"app@{used}"}]}}
    spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}
    deployment: Any = {"metadata": {"name": "app"}, "spec": spec}
    apps(Seeds(world).cluster).create_namespaced_deployment(identify(PROJECT, KEPT).namespace, deployment)
    first = collect(world)
    assert first["images"] == []
    assert set(gc_memory.load(world.cluster, PROJECT).unreferenced) == {unused, cache}

    long_ago = datetime.now(UTC) - timedelta(days=2)
    remembered = GcMemory(refs=2, unreferenced={unused: long_ago, cache: long_ago, used: long_ago})
    gc_memory.save(world.cluster, PROJECT, remembered)
    second = collect(world)
    assert {(image["digest"], image["outcome"]) for image in second["images"]} == {(unused, "done"), (cache, "done")}
    assert [stored(PROJECT, it) for it in (used, unused, cache, newest)] == [True, False, False, True]
    assert gc_memory.load(world.cluster, PROJECT).unreferenced == {}
