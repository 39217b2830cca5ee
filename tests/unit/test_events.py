"""Reading the engine's events, as lines that `pulumi up --json` printed."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploytag.delivery.events import Diagnostic, Step, parse

STACK = "urn:pulumi:feature-test::shop::pulumi:pulumi:Stack::shop-feature-test"
ROLE = "urn:pulumi:feature-test::shop::deploytag:index:Environment$postgresql:index/role:Role::shop-database-role"


def line(**event: Any) -> str:
    return json.dumps({"sequence": 1, "timestamp": 1795422342, **event})


def step(key: str, op: str, urn: str, type_: str, **more: Any) -> str:
    return line(**{key: {"metadata": {"op": op, "urn": urn, "type": type_, **more}}})


def test_a_resource_from_begin_to_end() -> None:
    type_ = "postgresql:index/role:Role"
    begun, done, failed = (
        parse(step(key, "create", ROLE, type_)) for key in ("resourcePreEvent", "resOutputsEvent", "resOpFailedEvent")
    )
    assert [event.state for event in (begun, done, failed) if isinstance(event, Step)] == ["begun", "done", "failed"]
    assert isinstance(done, Step)
    assert (done.name, done.kind, done.changes) == ("shop-database-role", "Role", True)


@pytest.mark.parametrize(
    ("op", "type_", "changes"),
    [
        ("same", "postgresql:index/role:Role", False),
        ("read", "kubernetes:core/v1:Service", False),
        ("delete", "kubernetes:core/v1:Namespace", True),
        ("create", "deploytag:index:Environment", False),
        ("create", "pulumi:pulumi:Stack", False),
        ("create", "pulumi:providers:kubernetes", False),
    ],
)
def test_what_changes_something(op: str, type_: str, changes: bool) -> None:
    event = parse(step("resOutputsEvent", op, ROLE, type_))
    assert isinstance(event, Step)
    assert event.changes is changes


def test_the_stacks_outputs_come_with_its_end() -> None:
    new = {"outputs": {"url": "http://203.0.113.7", "key": "[secret]"}}
    event = parse(step("resOutputsEvent", "update", STACK, "pulumi:pulumi:Stack", new=new))
    assert isinstance(event, Step)
    assert event.outputs == {"url": "http://203.0.113.7", "key": "[secret]"}


def test_what_is_said() -> None:
    said = parse(line(diagnosticEvent={"urn": ROLE, "message": "it failed\n", "severity": "error"}))
    assert said == Diagnostic("error", "it failed", ROLE)
    assert parse(line(diagnosticEvent={"message": "\n", "severity": "info"})) is None
    assert parse(line(diagnosticEvent={"message": "registering resource", "severity": "debug"})) is None
    assert parse(line(diagnosticEvent={"message": "", "severity": "info", "ephemeral": True})) is None
    progress = parse(line(diagnosticEvent={"urn": ROLE, "message": "#1 30%", "severity": "info", "ephemeral": True}))
    assert progress == Diagnostic("info", "#1 30%", ROLE, status=True)
    assert (progress.type, Diagnostic("error", "no resource", "").type) == ("postgresql:index/role:Role", "")


@pytest.mark.parametrize(
    "text",
    [
        "",
        '{"summaryEvent": {"resourceChanges": {"same": 1}}}',
        "error: no stack named",
        "[]",
        '{"preludeEvent": {"config": {}}}',
        "{",
    ],
)
def test_other_lines_are_none(text: str) -> None:
    assert parse(text) is None


@given(st.text())
def test_no_line_ends_the_run(text: str) -> None:
    assert parse(text) is None or isinstance(json.loads(text), dict)
