"""How secrets become variables, and that no message holds a value."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploytag.errors import SecretError
from deploytag.secrets import (
    SIZE_LIMIT,
    VARIABLE_LIMIT,
    Payload,
    determinants,
    env_secret_name,
    environment_variables,
    plain_text,
    reserved_names,
)
from deploytag.settings import SecretSource, Variables

CANARY = "canary-93ac"
NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,20}", fullmatch=True)
TEXTS = st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
NO_NAMES: frozenset[str] = frozenset()


def layer(content: object, secret_id: str = "staging/app", **source: Any) -> Payload:
    text = content if isinstance(content, str) or content is None else json.dumps(content)
    return Payload(SecretSource(id=secret_id, **source), "version-1", text)


def variables(*layers: Payload, required: tuple[str, ...] = (), reserved: frozenset[str] = NO_NAMES) -> dict[str, str]:
    return environment_variables(layers, reserved=reserved, required=required)


def refused(*layers: Payload, required: tuple[str, ...] = (), reserved: frozenset[str] = NO_NAMES) -> str:
    with pytest.raises(SecretError) as raised:
        variables(*layers, required=required, reserved=reserved)
    said = str(raised.value)
    assert CANARY not in f"{said}{raised.value.__cause__}"
    assert raised.value.__suppress_context__ or raised.value.__context__ is None
    return said


def test_texts_stay_as_they_are_and_everything_else_is_compact_json() -> None:
    content = {"TOKEN": "a", "PORT": 8080, "DEBUG": False, "_x9": "", "LIST": [1, {"é": None}], "RATE": 0.5}
    assert variables(layer(content)) == {
        "TOKEN": "a",
        "PORT": "8080",
        "DEBUG": "false",
        "_x9": "",
        "LIST": '[1,{"é":null}]',
        "RATE": "0.5",
    }


def test_a_later_layer_is_put_over_the_earlier_ones() -> None:
    common, app = layer({"A": "common", "B": "common"}), layer({"B": "app", "C": "app"})
    assert variables(common, app) == {"A": "common", "B": "app", "C": "app"}
    assert variables(app, common) == {"A": "common", "B": "common", "C": "app"}
    assert variables() == {}


def test_null_unsets_what_an_earlier_layer_set() -> None:
    assert variables(layer({"A": "1", "B": "2"}), layer({"A": None, "C": None})) == {"B": "2"}
    assert variables(layer({"A": None}), layer({"A": "1"})) == {"A": "1"}


def test_only_the_mapped_keys_are_taken_under_their_new_names() -> None:
    rds = layer({"username": "u", "password": "p", "db-host": "h"}, keys={"password": "DB_PASSWORD", "db-host": "HOST"})
    assert variables(rds) == {"DB_PASSWORD": "p", "HOST": "h"}
    said = refused(layer({"a": CANARY}, keys={"a": "A", "b": "B", "c": "C"}))
    assert "it has no key 'b'" in said
    assert "it has no key 'c'" in said


def test_what_the_application_requires_has_to_be_there() -> None:
    present = layer({"A": "1", "B": None}, "staging/common")
    assert variables(present, required=("A", "DATABASE_URL"), reserved=frozenset({"DATABASE_URL"})) == {"A": "1"}
    said = refused(present, layer({}), required=("A", "B", "C"))
    assert "the application needs B, C" in said
    assert "staging/common, staging/app" in said
    assert "its class has no secrets" in refused(required=("A",))


@pytest.mark.parametrize(
    ("payload", "sentence"),
    [
        (None, "is binary"),
        (CANARY, "is not JSON"),
        ("", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ('{"A": NaN}', "is not JSON"),
        ('{"A": 1e999}', "is not JSON"),
        (f'"{CANARY}"', "no object"),
        (f'["{CANARY}"]', "no object"),
        (f'{{"A": "{CANARY}", "A": "x"}}', "has a key more than once: 'A'"),
        (f'{{"NOT-A-NAME": "{CANARY}"}}', "'NOT-A-NAME' is no name of an environment variable"),
        (f'{{"9LIVES": "{CANARY}"}}', "'9LIVES'"),
        (f'{{"": "{CANARY}"}}', "''"),
        (f'{{"A\\n": "{CANARY}"}}', "'A\\n'"),
        (f'{{"NUL": "{CANARY}\\u0000"}}', "the value of NUL contains a NUL"),
        (f'{{"HALF": "{CANARY}\\ud800"}}', "the value of HALF is no valid text"),
        (f'{{"LONG": "{CANARY * 12_000}"}}', "the value of LONG is too long"),
        (f'{{"DATABASE_URL": "{CANARY}"}}', "DATABASE_URL is set by DeployTag itself"),
        (f'{{"DATABASE_URL": null, "A-B": "{CANARY}"}}', "'A-B'"),
    ],
)
def test_bad_payloads_name_the_secret_and_the_key_but_no_value(payload: str | None, sentence: str) -> None:
    said = refused(layer(payload), reserved=frozenset({"DATABASE_URL"}))
    assert "staging/app" in said
    assert sentence in said


def test_a_pinned_version_is_named() -> None:
    assert "staging/app (version 1234)" in refused(layer(None, version="1234"))
    assert "staging/app (AWSPREVIOUS)" in refused(layer(None, stage="AWSPREVIOUS"))


def test_all_together_fit_into_a_kubernetes_secret() -> None:
    full = {f"V{number}": "x" * (SIZE_LIMIT // 16) for number in range(16)}
    assert len(variables(layer(full))) == 16
    said = refused(layer({**full, "V16": CANARY}))
    assert f"a Kubernetes Secret holds {SIZE_LIMIT}" in said
    assert "V0 (" in said
    assert variables(layer({"A": "x" * (VARIABLE_LIMIT - 2)}))


@given(st.lists(st.dictionaries(NAMES, TEXTS), max_size=4))
def test_every_layer_of_texts_survives_unchanged(layers: list[dict[str, str]]) -> None:
    expected: dict[str, str] = {}
    for content in layers:
        expected |= content
    assert variables(*map(layer, layers)) == expected


@given(st.text() | st.binary().map(lambda raw: raw.decode("utf-8", "replace")) | st.from_type(type(None)))
def test_any_payload_is_variables_or_a_sentence(payload: str | None) -> None:
    try:
        variables(layer(payload))
    except SecretError as error:
        assert "staging/app" in str(error)


def test_what_deploytag_and_the_chart_set_is_reserved() -> None:
    names = Variables()
    assert reserved_names(names, database=True) - reserved_names(names, database=False) == {"DATABASE_URL"}
    assert {"REDIS_URL", "DEPLOYTAG_REF"} <= reserved_names(names, database=False)


@given(st.dictionaries(st.text(), st.text()))
def test_the_name_of_the_env_secret_is_decided_by_content_and_by_nothing_else(deciding: dict[str, str]) -> None:
    name = env_secret_name(deciding)
    assert name == env_secret_name(dict(reversed(deciding.items())))
    assert name != env_secret_name({**deciding, "another": "x" + deciding.get("another", "")})
    assert len(name) <= 63


def test_everything_that_decides_the_variables_decides_the_name() -> None:
    one, other = SecretSource(id="one"), SecretSource(id="other")
    mapped = SecretSource(id="one", keys={"a": "A"})
    different = [
        [(one, "1"), (other, "1")],
        [(other, "1"), (one, "1")],
        [(one, "2"), (other, "1")],
        [(mapped, "1"), (other, "1")],
        [(one, "1")],
        [],
    ]
    assert len({env_secret_name({"secrets": determinants(versions)}) for versions in different}) == len(different)
    # By which stage a version was found does not matter.
    current = SecretSource(id="one", stage="AWSPREVIOUS")
    assert determinants([(one, "1")]) == determinants([(current, "1")])


@pytest.mark.parametrize(
    ("payload", "why"), [(None, "is binary"), ("", "is empty"), ("\ud800", "is no valid text")], ids=repr
)
def test_a_text_is_a_text(payload: str | None, why: str) -> None:
    with pytest.raises(SecretError, match=f"staging/key {why}"):
        plain_text("staging/key", payload)
