"""What the program refuses before its first resource, and what it makes of its configuration."""

import asyncio
from dataclasses import replace

import pulumi
import pytest
from pulumi.runtime import set_all_config

from deploytag.administrator import Administrator
from deploytag.contract import trial_values
from deploytag.errors import DeployTagError, SecretError, SettingsError
from deploytag.identity import identify
from deploytag.passwords import DatabaseAddress
from deploytag.program import Environment
from deploytag.program.main import (
    database_address,
    database_networks,
    read_variables,
    refuse_other_stack,
    refuse_other_targets,
)
from deploytag.program.release import url_of
from deploytag.settings import ApplicationSettings, EnvironmentClass, Isolation
from tests.program.environments import COMBINATIONS, FULL, declare
from tests.program.world import SECRET_ID, run, values

IDENTITY = identify("shop", "feature/test")


def test_the_stack_of_another_branch_is_refused_naming_both() -> None:
    refuse_other_stack(IDENTITY, "feature-test")
    with pytest.raises(SettingsError, match=r"(?s)feature-other.*feature/test.*feature-test.*nothing was touched"):
        refuse_other_stack(IDENTITY, "feature-other")


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ({}, "there is no secret staging/app"),
        ({"secretString": "not json", "versionId": "1"}, "is not JSON"),
        ({"secretBinary": "AAAA", "versionId": "1"}, "is binary"),
        ({"secretString": "{}"}, "not configured yet"),
    ],
)
def test_a_secret_that_cannot_be_used_ends_the_run_before_its_first_resource(
    answer: dict[str, str], sentence: str
) -> None:
    caught: list[DeployTagError] = []

    async def program() -> pulumi.Inputs:
        try:
            read_variables(ApplicationSettings(), FULL)
        except SecretError as error:
            caught.append(error)
        return {}

    world = run(program, stack="feature-test", secrets={SECRET_ID: answer})
    assert sentence in str(caught[0])
    assert world.registrations == []


def test_the_database_is_where_the_administrator_finds_it_unless_configured() -> None:
    administrator = Administrator("db.test", 6543, sslmode="require")
    set_all_config({})
    address = database_address(IDENTITY, administrator, pulumi.Config("shop"))
    assert (address.host, address.port, address.sslmode) == ("db.test", 6543, "require")
    set_all_config({"shop:databaseHost": "inside.test", "shop:databasePort": "5432", "shop:databaseSslmode": "disable"})
    address = database_address(IDENTITY, administrator, pulumi.Config("shop"))
    assert (address.host, address.port, address.sslmode) == ("inside.test", 5432, "disable")
    assert (address.database, address.role) == (IDENTITY.database, IDENTITY.role)


@pytest.mark.parametrize(
    ("isolation", "networks"),
    [
        ({}, ["192.0.2.9/32"]),
        ({"database_cidrs": ["10.0.16.0/20"]}, ["10.0.16.0/20"]),
        ({"network": False}, []),
    ],
)
def test_the_databases_networks_are_what_the_class_names_or_what_its_name_means(
    isolation: dict[str, object], networks: list[str]
) -> None:
    address = DatabaseAddress("192.0.2.9", 5432, IDENTITY.database, IDENTITY.role)
    found = asyncio.run(database_networks(Isolation.model_validate(isolation), address, Administrator("192.0.2.9")))
    assert list(map(str, found)) == networks


def test_what_the_class_names_is_not_looked_up() -> None:
    unknown = DatabaseAddress("db.invalid", 5432, IDENTITY.database, IDENTITY.role)
    named = Isolation.model_validate({"database_cidrs": ["10.0.16.0/20"]})
    assert asyncio.run(database_networks(named, unknown, Administrator("192.0.2.9"))) == named.database_cidrs
    assert asyncio.run(database_networks(Isolation(), None, None)) == ()


@pytest.mark.parametrize(("host", "port"), [("169.254.169.254", 5432), ("192.0.2.9", 80)])
def test_a_branch_does_not_decide_what_its_pods_may_connect_to(host: str, port: int) -> None:
    address = DatabaseAddress(host, port, IDENTITY.database, IDENTITY.role)
    with pytest.raises(SettingsError, match=rf"{host}:{port}.*192\.0\.2\.9:5432.*isolation\.database_cidrs"):
        asyncio.run(database_networks(Isolation(), address, Administrator("192.0.2.9")))
    asyncio.run(database_networks(Isolation(network=False), address, Administrator("192.0.2.9")))


@pytest.mark.parametrize(("port", "ports"), [(5432, [6432]), (6432, [5432, 6432]), (7000, [7000])])
def test_where_the_class_names_the_servers_it_names_their_ports_too(port: int, ports: list[int]) -> None:
    named = Isolation.model_validate({"database_cidrs": ["10.0.16.0/20"], "database_ports": ports})
    address = DatabaseAddress("inside.test", port, IDENTITY.database, IDENTITY.role)
    assert asyncio.run(database_networks(named, address, Administrator("192.0.2.9"))) == named.database_cidrs
    with pytest.raises(SettingsError, match=r"at port 22: .*isolation\.database_ports"):
        asyncio.run(database_networks(named, replace(address, port=22), Administrator("192.0.2.9")))


@pytest.mark.parametrize("key", ["kubernetes:context", "kubernetes:kubeconfig", "postgresql:host"])
def test_provider_settings_that_lead_elsewhere_are_refused(key: str) -> None:
    set_all_config({"aws:region": "eu-west-1", "postgresql:superuser": "false"})
    refuse_other_targets()
    set_all_config({key: "elsewhere"})
    with pytest.raises(SettingsError, match=key):
        refuse_other_targets()


@pytest.mark.parametrize(
    ("ingress", "port", "url"),
    [
        ({"ip": "172.30.0.200"}, 80, "http://172.30.0.200"),
        ({"ip": "172.30.0.200"}, 8080, "http://172.30.0.200:8080"),
        ({"hostname": "lb.test"}, 80, "http://lb.test"),
        ({"hostname": "lb.test"}, 443, "https://lb.test"),
    ],
)
def test_the_url_is_the_services_address(ingress: dict[str, str], port: int, url: str) -> None:
    assert url_of({"load_balancer": {"ingress": [ingress]}}, {"ports": [{"port": port}]}) == url


@pytest.mark.parametrize("cls", COMBINATIONS.values(), ids=COMBINATIONS.keys())
def test_the_chart_is_tried_with_the_values_it_will_get(cls: EnvironmentClass) -> None:
    settings = ApplicationSettings.model_validate({"chart": {"values": {"worker": {"enabled": False}}}})
    more = Environment.more_values(settings, cls)
    tried = flat({**more, **trial_values(IDENTITY, "0123abcd", settings, cls)})
    given = values(declare(cls=cls, settings=settings).one("kubernetes:helm.sh/v3:Release"))
    paths = {path.removeprefix("values.") for path in given if path.startswith("values.")}
    assert set(tried) == paths
    assert {path: value for path, value in tried.items() if path not in {"image", "envSecret"}} == {
        path: given[f"values.{path}"] for path in paths - {"image", "envSecret"}
    }


def flat(tree: dict[str, object], above: str = "") -> dict[str, object]:
    leaves: dict[str, object] = {}
    for key, value in tree.items():
        leaves |= flat(value, f"{above}{key}.") if isinstance(value, dict) else {f"{above}{key}": value}
    return leaves
