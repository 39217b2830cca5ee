"""What the offline postgresql plugin checks, generates and compares before it talks to a server."""

from typing import Any

import pytest

from sandbox.plugins.postgresql.database import Database
from sandbox.plugins.postgresql.extension import Extension
from sandbox.plugins.postgresql.fields import FieldResource
from sandbox.plugins.postgresql.grant import Grant
from sandbox.plugins.postgresql.grant_role import GrantRole
from sandbox.plugins.postgresql.role import Role
from sandbox.plugins.postgresql.server import Server
from sandbox.plugins.postgresql.settings import Settings
from sandbox.plugins.provider import (
    UNKNOWN,
    Cancellation,
    CheckRequest,
    CreateRequest,
    DiffRequest,
    Properties,
    Secret,
    UnreachableError,
    has_secret,
)

SERVER = Server(Settings.read({}, {}), Cancellation())
DATABASE, ROLE, GRANT, EXTENSION = Database(SERVER), Role(SERVER), Grant(SERVER), Extension(SERVER)
CLOSED: Properties = {"role": "public", "database": "shop", "objectType": "database", "privileges": []}


def check(resource: FieldResource, inputs: Properties, old: Properties | None = None, seed: bytes = b"") -> Any:
    return resource.check(CheckRequest("urn:x", "type", "logical", inputs, old or {}, seed))


def complaints(resource: FieldResource, inputs: Properties) -> list[str]:
    return [failure.property for failure in check(resource, inputs).failures]


def diff(resource: FieldResource, state: Properties, inputs: Properties) -> dict[str, bool]:
    """What changed, and whether that replaces."""
    found = resource.diff(DiffRequest("urn:x", "type", "logical", "id", inputs, {}, state))
    return {str(change.path[0]): change.replaces for change in found.changes}


@pytest.mark.parametrize(
    ("resource", "inputs", "wrong"),
    [
        (DATABASE, {"name": "shop", "colour": "red"}, ["colour"]),
        (DATABASE, {"name": "shop", "alterObjectOwnership": True}, ["alterObjectOwnership"]),
        (DATABASE, {"name": "shop", "connectionLimit": "many"}, ["connectionLimit"]),
        (DATABASE, {"name": "shop", "connectionLimit": True}, ["connectionLimit"]),
        (DATABASE, {"name": "shop", "allowConnections": 1}, ["allowConnections"]),
        (DATABASE, {"name": "n" * 64}, ["name"]),
        (DATABASE, {"name": "ä" * 32}, ["name"]),
        (
            ROLE,
            {"name": "shop", "passwordWo": Secret("x"), "passwordWoVersion": "1"},
            ["passwordWo", "passwordWoVersion"],
        ),
        (ROLE, {"name": "shop", "encryptedPassword": False}, ["encryptedPassword"]),
        (ROLE, {"name": "shop", "roles": ["a", 1]}, ["roles"]),
        (ROLE, {"name": "shop", "searchPaths": ["a, b"]}, ["searchPaths"]),
        (GRANT, {**CLOSED, "columns": ["a"]}, ["columns"]),
        (GRANT, {**CLOSED, "objectType": "foreign_server"}, ["objectType"]),
        (GRANT, {**CLOSED, "privileges": ["SELECT"]}, ["privileges"]),
        (GRANT, {**CLOSED, "objects": ["a"]}, ["objects"]),
        (GRANT, {**CLOSED, "objectType": "table"}, ["schema"]),
        (GRANT, {"role": "public"}, ["database", "objectType", "privileges"]),
        (EXTENSION, {"database": "shop"}, ["name"]),
        (GrantRole(SERVER), {"role": "admin"}, ["grantRole"]),
    ],
)
def test_what_is_wrong_or_not_supported_is_refused_by_name(
    resource: FieldResource, inputs: Properties, wrong: list[str]
) -> None:
    assert complaints(resource, inputs) == wrong


@pytest.mark.parametrize(
    ("resource", "inputs"),
    [
        (DATABASE, {"name": "n" * 63}),
        (DATABASE, {"name": UNKNOWN, "owner": UNKNOWN, "connectionLimit": UNKNOWN}),
        (ROLE, {"name": "shop", "password": Secret("x"), "login": True}),
        (ROLE, {"name": "shop", "password": Secret(UNKNOWN)}),
        (GRANT, CLOSED),
        (GRANT, {**CLOSED, "privileges": [UNKNOWN]}),
        (GRANT, {**CLOSED, "objectType": "table", "schema": "public", "objects": ["t"], "privileges": ["SELECT"]}),
    ],
)
def test_what_is_supported_passes(resource: FieldResource, inputs: Properties) -> None:
    assert check(resource, inputs).inputs == inputs
    assert complaints(resource, inputs) == []


def test_a_missing_name_is_generated_once() -> None:
    first = check(DATABASE, {}, seed=b"seed").inputs["name"]

    assert first.startswith("logical-")
    assert first == check(DATABASE, {}, seed=b"seed").inputs["name"]
    assert first != check(DATABASE, {}, seed=b"other").inputs["name"]
    assert check(DATABASE, {}, {"name": first}, b"other").inputs["name"] == first


def test_the_defaults_list_of_the_official_plugin_is_no_input() -> None:
    assert check(DATABASE, {"name": "shop", "__defaults": ["allowConnections"]}).inputs == {"name": "shop"}


SHOP: Properties = {
    "name": "shop",
    "owner": "app",
    "template": "template0",
    "encoding": "UTF8",
    "connectionLimit": -1,
    "allowConnections": True,
    "isTemplate": False,
    "lcCollate": "C.UTF-8",
}


@pytest.mark.parametrize(
    ("inputs", "changes"),
    [
        ({"name": "shop"}, {}),
        ({"name": "shop", "owner": "app", "connectionLimit": -1, "encoding": "UTF8"}, {}),
        ({"name": "shop", "encoding": "DEFAULT"}, {}),
        ({"name": "shop", "owner": "other"}, {"owner": False}),
        ({"name": "store"}, {"name": False}),
        ({"name": "shop", "connectionLimit": 5}, {"connectionLimit": False}),
        ({"name": "shop", "template": "template1"}, {"template": True}),
        ({"name": "shop", "lcCollate": "C"}, {"lcCollate": True}),
        ({"name": "shop", "owner": UNKNOWN}, {"owner": False}),
    ],
)
def test_a_database_is_compared_with_what_the_server_has(inputs: Properties, changes: dict[str, bool]) -> None:
    assert diff(DATABASE, SHOP, inputs) == changes


def test_an_input_that_is_no_longer_given_goes_back_to_its_default() -> None:
    assert diff(DATABASE, {**SHOP, "connectionLimit": 5}, {"name": "shop"}) == {"connectionLimit": False}
    assert diff(ROLE, {"name": "r", "roles": ["a"]}, {"name": "r"}) == {"roles": False}


def test_the_order_of_a_set_does_not_matter_and_that_of_a_search_path_does() -> None:
    state: Properties = {"name": "r", "roles": ["a", "b"], "searchPaths": ["a", "b"]}

    assert diff(ROLE, state, {"name": "r", "roles": ["b", "a"], "searchPaths": ["b", "a"]}) == {"searchPaths": False}


def test_a_changed_password_is_an_update() -> None:
    state: Properties = {"name": "r", "login": True, "password": Secret("old")}

    assert diff(ROLE, state, {"name": "r", "login": True, "password": Secret("old")}) == {}
    assert diff(ROLE, state, {"name": "r", "login": True, "password": Secret("new")}) == {"password": False}


def test_privileges_update_a_grant_and_everything_else_replaces_it() -> None:
    state: Properties = {**CLOSED, "withGrantOption": False}

    assert diff(GRANT, state, CLOSED) == {}
    assert diff(GRANT, state, {**CLOSED, "privileges": ["CONNECT"]}) == {"privileges": False}
    assert diff(GRANT, state, {**CLOSED, "database": "other"}) == {"database": True}


def test_a_preview_knows_what_the_program_says_and_no_more() -> None:
    inputs: Properties = {"name": "shop", "connectionLimit": UNKNOWN}
    planned = DATABASE.preview_create(CreateRequest("urn:x", "type", "logical", inputs, preview=True)).outputs

    assert planned["name"] == "shop"
    assert planned["allowConnections"] is True
    assert planned["owner"] is UNKNOWN
    assert planned["connectionLimit"] is UNKNOWN


def test_a_preview_keeps_secrets() -> None:
    inputs: Properties = {"name": "shop", "password": Secret("x")}

    assert has_secret(ROLE.preview_create(CreateRequest("urn:x", "type", "logical", inputs, preview=True)).outputs)


def test_a_server_that_does_not_answer_is_named_with_its_origin() -> None:
    settings = Settings.read({"port": "1", "password": Secret("hush")}, {"PGHOST": "127.0.0.1", "PGUSER": "admin"})

    with pytest.raises(UnreachableError) as caught, Server(settings, Cancellation()).connect():
        pass

    sentence = str(caught.value)
    assert "127.0.0.1:1" in sentence
    assert "host from PGHOST, port from the setting `postgresql:port`" in sentence
    assert "hush" not in sentence
