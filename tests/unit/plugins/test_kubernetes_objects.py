"""Property maps and objects: what is sent, what is recorded, what a refresh finds."""

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.plugins.kubernetes.objects import (
    equivalent,
    live_inputs,
    protect,
    to_object,
    to_properties,
    to_state,
    without_server_fields,
)
from sandbox.plugins.provider import Secret, compare, has_secret

SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "s", "namespace": "n"},
    "stringData": {"key": "hunter22"},
}


def _live(**changed: Any) -> dict[str, Any]:
    server = {"uid": "u", "resourceVersion": "7", "creationTimestamp": "now", "managedFields": []}
    return {**SECRET, "metadata": {**SECRET["metadata"], **server}, "status": {}, **changed}  # type: ignore[dict-item]


def test_a_secrets_content_is_always_secret() -> None:
    protected = protect(SECRET)
    assert protected["stringData"] == Secret({"key": "hunter22"})
    state = to_state(SECRET, _live(data={"key": "aHVudGVyMjI="}), "manager")
    assert state["data"] == Secret({"key": "aHVudGVyMjI="})
    assert "hunter22" not in repr(state)
    assert "aHVudGVyMjI=" not in repr(state)
    assert state["__inputs"]["stringData"] == Secret({"key": "hunter22"})
    assert (state["__initialApiVersion"], state["__fieldManager"]) == ("v1", "manager")


def test_what_is_secret_in_the_inputs_is_secret_in_the_outputs_of_any_kind() -> None:
    inputs = {"kind": "ConfigMap", "apiVersion": "v1", "data": {"plain": "a", "token": Secret("hunter22")}}
    state = to_state(inputs, to_object(inputs), "m")
    assert state["data"] == {"plain": "a", "token": Secret("hunter22")}


def test_the_keys_of_the_state_and_of_the_sdk_do_not_reach_the_cluster() -> None:
    properties = {"__inputs": {}, "spec": {"x_kubernetes_list_type": "set", "x_other": 1}}
    assert to_object(properties) == {"spec": {"x-kubernetes-list-type": "set", "x_other": 1}}
    assert to_properties({"spec": {"x-kubernetes-list-type": "set"}}) == {"spec": {"x_kubernetes_list_type": "set"}}


def test_what_only_the_server_writes_is_no_input() -> None:
    assert without_server_fields(_live()) == SECRET
    live = _live()
    without_server_fields(live)
    assert "uid" in live["metadata"], "the live object itself must stay as it is"


@given(st.dictionaries(st.text(max_size=3), st.one_of(st.integers(), st.text(max_size=4), st.booleans()), max_size=5))
def test_without_drift_a_refresh_records_the_same_inputs(data: dict[str, Any]) -> None:
    inputs = {"apiVersion": "v1", "kind": "X", "metadata": {"name": "x"}, "spec": data}
    live = {**inputs, "metadata": {"name": "x", "uid": "u"}, "spec": {**data, "defaulted": "by the server"}}
    assert live_inputs(live, inputs) == inputs


def test_drift_becomes_a_difference() -> None:
    inputs = {"metadata": {"labels": {"team": "one"}}, "spec": {"ports": [{"port": 80}], "gone": True}}
    live = {"metadata": {"labels": {"team": "two", "more": "x"}}, "spec": {"ports": [{"port": 81}, {"port": 82}]}}
    found = live_inputs(live, inputs)
    assert {change.path for change in compare(found, inputs)} == {
        ("metadata", "labels", "team"),
        ("spec", "ports", 0, "port"),
        ("spec", "gone"),
    }


def test_string_data_is_compared_with_data() -> None:
    same = _live(data={"key": base64.b64encode(b"hunter22").decode()})
    assert live_inputs(same, SECRET)["stringData"] == {"key": "hunter22"}
    other = _live(data={"key": base64.b64encode(b"changed").decode()})
    assert live_inputs(other, SECRET)["stringData"] == {"key": "changed"}
    assert live_inputs(_live(data={}), SECRET)["stringData"] == {}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("1000m", "1", True),
        ("1", 1, True),
        ("1Gi", "1024Mi", True),
        ("1G", "1Gi", False),
        ("1e3", "1k", True),
        ("0.5", "500m", True),
        ("abc", "abd", False),
        (True, 1, False),
        ("", "", True),
        (None, "0", False),
    ],
)
def test_quantities_mean_the_same_however_they_are_written(one: Any, other: Any, same: bool) -> None:
    assert equivalent(one, other) is same


def test_nothing_is_secret_that_need_not_be() -> None:
    assert not has_secret(protect({"kind": "ConfigMap", "data": {"a": "b"}}))
