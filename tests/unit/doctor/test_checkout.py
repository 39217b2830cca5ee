"""Whether the chart renders: tried as a run tries it, for each class that gives it something of its own."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from deploytag.contract import trial_values
from deploytag.delivery.doctor import checkout as doctor
from deploytag.delivery.doctor.findings import Level
from deploytag.delivery.project import Project, PulumiProject
from deploytag.identity import identify
from deploytag.preflight import chart
from deploytag.remote import Remote
from deploytag.settings import ApplicationSettings, Isolation, Policy
from deploytag.trust import InForce
from tests.unit.checkout import Checkout

PLAIN = {"secrets": [], "database": False, "migrations": False}
INGRESS = {"expose": "ingress", "ingress": {"class": "public", "host": "*.preview.example.org"}}


def project(root: Path, classes: Mapping[str, Any]) -> Project:
    policy = Policy.model_validate({"cluster": {"server": "https://cluster.test:6443"}, "classes": classes})
    settings = ApplicationSettings.model_validate({"chart": {"values": {"worker": {"enabled": False}}}})
    trusted = InForce(policy, b"", "a test", Remote(root, "origin", {}))
    return Project(root, PulumiProject(name="shop", runtime="python"), settings, trusted)


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> dict[str, Mapping[str, Any]]:
    """What the chart is rendered with, by ref."""
    found: dict[str, Mapping[str, Any]] = {}

    def check(chart: Path, release: str, namespace: str, values: Mapping[str, Any], isolation: Isolation) -> None:
        found[values["ref"]] = values

    monkeypatch.setattr(chart, "check", check)
    return found


def test_it_is_tried_with_the_values_of_a_run(checkout: Checkout, tried: dict[str, Mapping[str, Any]]) -> None:
    checkout.track({"charts/app/Chart.yaml": "name: app\n"})
    it = project(checkout.path, {"feature": {"pattern": "feature/*", **PLAIN, "access": INGRESS}})
    assert [finding.level for finding in doctor.renders(it)] == [Level.OK]
    settings = it.need_settings()
    run = trial_values(
        identify("shop", "feature/trial"), "0" * 40, settings.application, settings.policy.classes["feature"]
    )
    assert "access" in run
    assert tried == {"feature/trial": {"worker": {"enabled": False}, **run}}


@pytest.mark.parametrize(
    ("access", "refs"),
    [
        ({}, {"bug/trial"}),
        (INGRESS, {"feature/trial", "bug/trial"}),
        ({"annotations": {"a": "b"}}, {"feature/trial", "bug/trial"}),
    ],
)
def test_classes_that_are_reached_in_other_ways_are_tried_apart(
    checkout: Checkout, tried: dict[str, Mapping[str, Any]], access: Mapping[str, Any], refs: set[str]
) -> None:
    checkout.track({"charts/app/Chart.yaml": "name: app\n"})
    classes = {
        "feature": {"pattern": "feature/*", **PLAIN, "access": access},
        "bug": {"pattern": "bug/*", **PLAIN},
    }
    assert [finding.level for finding in doctor.renders(project(checkout.path, classes))] == [Level.OK]
    assert set(tried) == refs
