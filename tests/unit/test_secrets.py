"""What is done with secret values, and that no message holds one."""

import json
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploytag.errors import SecretError
from deploytag.secrets import DatabaseAddress, database_password, env_secret_name, environment_variables

CANARY = "canary-93ac"
NONE: frozenset[str] = frozenset()


def test_a_json_object_becomes_variables() -> None:
    payload = json.dumps({"TOKEN": "a", "PORT": 8080, "DEBUG": False, "_x9": ""})
    assert environment_variables("id", payload, NONE) == {"TOKEN": "a", "PORT": "8080", "DEBUG": "false", "_x9": ""}


@pytest.mark.parametrize(
    ("payload", "sentence"),
    [
        (None, "is binary"),
        (CANARY, "is not JSON"),
        (f'"{CANARY}"', "no object"),
        (f'["{CANARY}"]', "no object"),
        (f'{{"NOT-A-NAME": "{CANARY}"}}', "'NOT-A-NAME' is no name of an environment variable"),
        (f'{{"9LIVES": "{CANARY}"}}', "'9LIVES'"),
        (f'{{"": "{CANARY}"}}', "''"),
        (f'{{"NESTED": {{"a": "{CANARY}"}}}}', "the value of NESTED is no text"),
        (f'{{"NOTHING": null, "A-B": "{CANARY}"}}', "the value of NOTHING"),
        (f'{{"DATABASE_URL": "{CANARY}"}}', "DATABASE_URL is set by DeployTag itself"),
    ],
)
def test_bad_payloads_name_the_secret_and_the_key_but_no_value(payload: str | None, sentence: str) -> None:
    with pytest.raises(SecretError) as raised:
        environment_variables("staging/app", payload, frozenset({"DATABASE_URL"}))
    said = "".join(map(str, (raised.value, raised.value.__cause__, raised.value.__suppress_context__)))
    assert "staging/app" in said
    assert sentence in said
    assert CANARY not in said
    assert raised.value.__suppress_context__ or raised.value.__context__ is None


@given(
    st.dictionaries(
        st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,20}", fullmatch=True),
        st.text(st.characters(codec="utf-8", exclude_characters="\0")),
    )
)
def test_every_object_of_texts_survives_unchanged(variables: dict[str, str]) -> None:
    assert environment_variables("id", json.dumps(variables), NONE) == variables


@given(st.text(min_size=1, alphabet=st.characters(exclude_categories=["Cs"])))
def test_any_password_survives_the_url(password: str) -> None:
    parts = urlsplit(DatabaseAddress("db.test", 5432, "shop_x", "shop_x", "disable").url(password))
    assert unquote(parts.password or "") == password
    assert (parts.hostname, parts.port, parts.path, parts.query) == ("db.test", 5432, "/shop_x", "sslmode=disable")


def test_passwords_differ_by_role_and_by_key_and_are_found_again() -> None:
    assert database_password("k", "a") == database_password("k", "a")
    assert len({database_password(key, role) for key in ("k", "l") for role in ("a", "b")}) == 4


@given(st.dictionaries(st.text(), st.text()))
def test_the_name_of_the_env_secret_is_decided_by_content_and_by_nothing_else(deciding: dict[str, str]) -> None:
    name = env_secret_name(deciding)
    assert name == env_secret_name(dict(reversed(deciding.items())))
    assert name != env_secret_name({**deciding, "another": "x" + deciding.get("another", "")})
    assert len(name) <= 63
