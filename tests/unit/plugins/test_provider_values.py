"""Property values survive the way to the wire and back, and secrets stay secret on it."""

from typing import Any

import pytest
from google.protobuf import struct_pb2
from hypothesis import given
from hypothesis import strategies as st

from sandbox.plugins.provider import (
    UNKNOWN,
    Asset,
    Secret,
    has_secret,
    has_unknown,
    keep_secrets,
    marshal,
    reveal,
    unmarshal,
)

_SIGNATURE = "4dabf18193072939515e22adb298388d"

scalars = st.one_of(
    st.booleans(),
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False, allow_infinity=False).filter(lambda number: not number.is_integer()),
    st.text(),
    st.just(UNKNOWN),
)
keys = st.text().filter(lambda key: key != _SIGNATURE)
values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(keys, inner, max_size=4),
        inner.map(Secret),
        st.text().map(lambda text: Asset({_SIGNATURE: "c44067f5952c0a294b673a41bacd8c17", "text": text, "hash": "h"})),
    ),
    max_leaves=12,
)
properties = st.dictionaries(keys, values, max_size=5)


@given(properties)
def test_the_wire_and_back_changes_nothing(given_properties: dict[str, Any]) -> None:
    assert unmarshal(marshal(given_properties)) == given_properties


@given(properties)
def test_whole_numbers_and_booleans_keep_their_type(given_properties: dict[str, Any]) -> None:
    def types(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: types(child) for key, child in value.items()}
        return [types(child) for child in value] if isinstance(value, list) else type(value)

    assert types(unmarshal(marshal(given_properties))) == types(given_properties)


@given(properties)
def test_reveal_leaves_no_secret_and_keeps_everything_else(given_properties: dict[str, Any]) -> None:
    plain = reveal(given_properties)
    assert not has_secret(plain)
    assert has_unknown(plain) == has_unknown(given_properties)


@given(properties)
def test_outputs_that_repeat_the_inputs_are_as_secret_as_they_are(given_properties: dict[str, Any]) -> None:
    outputs = keep_secrets(reveal(given_properties), given_properties)
    assert reveal(outputs) == reveal(given_properties)
    assert has_secret(outputs) == has_secret(given_properties)


def test_a_list_of_another_length_is_secret_if_anything_in_it_was() -> None:
    assert keep_secrets(["a"], [Secret("a"), "b"]) == Secret(["a"])
    assert keep_secrets(["a"], ["a", "b"]) == ["a"]


def test_a_secret_does_not_show_itself() -> None:
    assert "hunter2" not in repr({"password": Secret("hunter2")})
    assert Secret(Secret("x")) == Secret("x")


def _wire(**fields: Any) -> Any:
    struct = struct_pb2.Struct()
    struct.update({"it": {_SIGNATURE: fields.pop("signature"), **fields}})
    return unmarshal(struct)["it"]


def test_output_values_become_what_they_hold() -> None:
    signature = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
    assert _wire(signature=signature, value="x", secret=True) == Secret("x")
    assert _wire(signature=signature, value="x") == "x"
    assert _wire(signature=signature) is UNKNOWN


def test_a_resource_reference_becomes_its_id() -> None:
    assert _wire(signature="5cf8f73096256a8f31e491e813e4eb8e", urn="urn:x", id="ns/name") == "ns/name"


def test_an_unknown_kind_of_property_is_refused_without_being_shown() -> None:
    with pytest.raises(ValueError, match="does not know") as caught:
        _wire(signature="what-is-this", value="hunter2")
    assert "hunter2" not in str(caught.value)


def test_every_form_of_unknown_is_one() -> None:
    struct = struct_pb2.Struct()
    struct.update({"number": "3eeb2bf0-c639-47a8-9e75-3b44932eb421", "list": "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2"})
    assert unmarshal(struct) == {"number": UNKNOWN, "list": UNKNOWN}
