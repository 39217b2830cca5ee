"""What is recorded of a release when helm, or the look-up after it, fails. A script stands in for helm."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from sandbox.plugins.kubernetes.cluster import Cluster
from sandbox.plugins.kubernetes.release import Release
from sandbox.plugins.kubernetes.settings import Settings
from sandbox.plugins.provider import Cancellation, CreateRequest, InitFailedError, ProviderError, UpdateRequest

METADATA = '{"name": "demo", "namespace": "ns", "revision": 1, "status": "$(cat status)", "version": "0.1.0"}'
# `outcome` is what install and upgrade do; once they ran, `after` is what every `get` does.
HELM = f"""#!/bin/sh
cd "$(dirname "$0")"
case "$1" in
  install|upgrade) cat > values; touch ran; . ./outcome ;;
  get) if [ -e ran ]; then . ./after; else . ./before; fi
       if [ "$2" = metadata ]; then echo "{METADATA.replace('"', chr(92) + '"')}"; fi ;;
esac
"""
FAIL = "echo 'Error: timed out waiting for the condition' >&2; exit 1"
NO_ANSWER = "echo 'Error: Kubernetes cluster unreachable: connection refused' >&2; exit 1"
NO_RELEASE = "echo 'Error: release: not found' >&2; exit 1"


class World:
    """A helm that does as told, and the handler that runs it."""

    def __init__(self, place: Path, chart: Path) -> None:
        self.place = place
        self.inputs: dict[str, Any] = {"name": "demo", "namespace": "ns", "chart": str(chart), "version": "0.1.0"}
        self.release = Release(
            cast(
                "Cluster",
                SimpleNamespace(
                    settings=Settings(),
                    cancellation=Cancellation(),
                    connection=SimpleNamespace(namespace="ns", helm_arguments=()),
                    reachable=lambda: "",
                ),
            )
        )

    def helm(self, *, before: str = NO_RELEASE, outcome: str = "", after: str = "", status: str = "deployed") -> None:
        for name, text in (("before", before), ("outcome", outcome), ("after", after), ("status", status)):
            (self.place / name).write_text(text + "\n")

    def create(self) -> Any:
        return self.release.create(CreateRequest("urn", "type", "demo", self.inputs, False))

    def update(self) -> Any:
        return self.release.update(UpdateRequest("urn", "type", "demo", "ns/demo", self.inputs, {}, {}, False))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    chart, place = tmp_path / "chart", tmp_path / "bin"
    chart.mkdir()
    (chart / "Chart.yaml").write_text("name: app\nversion: 0.1.0\n")
    place.mkdir()
    (place / "helm").write_text(HELM)
    (place / "helm").chmod(0o755)
    monkeypatch.setenv("PATH", f"{place}:/usr/bin:/bin")
    return World(place, chart)


def test_what_helm_says_of_the_release_is_recorded(world: World) -> None:
    world.helm()
    state = world.create()
    assert (state.id, state.outputs["status"]["status"]) == ("ns/demo", "deployed")
    world.helm(before="")
    assert world.update()["status"]["revision"] == 1


def test_a_release_that_failed_to_become_ready_is_recorded(world: World) -> None:
    world.helm(outcome=FAIL, status="failed")
    with pytest.raises(InitFailedError, match=r'"ns/demo" was created, .*timed out') as caught:
        world.create()
    assert caught.value.outputs["status"]["status"] == "failed"


def test_an_install_that_made_nothing_records_nothing(world: World) -> None:
    world.helm(outcome=FAIL, after=NO_RELEASE)
    with pytest.raises(ProviderError, match="timed out") as caught:
        world.create()
    assert not isinstance(caught.value, InitFailedError)


@pytest.mark.parametrize(("outcome", "said"), [("", "Helm succeeded"), (FAIL, "Helm failed .*timed out")])
@pytest.mark.parametrize("operation", ["create", "update"])
def test_a_release_that_cannot_be_looked_up_is_recorded(world: World, operation: str, outcome: str, said: str) -> None:
    world.helm(before="", outcome=outcome, after=NO_ANSWER)
    with pytest.raises(InitFailedError, match=rf"{said}.*connection refused.*pulumi refresh") as caught:
        getattr(world, operation)()
    assert caught.value.resource_id == "ns/demo"
    assert caught.value.outputs["chart"] == world.inputs["chart"]
    assert caught.value.outputs["status"] == {"name": "demo", "namespace": "ns", "status": "unknown"}


def test_an_update_that_cannot_see_the_release_changes_nothing(world: World) -> None:
    world.helm(before=NO_ANSWER)
    with pytest.raises(ProviderError, match="connection refused") as caught:
        world.update()
    assert not isinstance(caught.value, InitFailedError)
    assert not (world.place / "ran").exists()
