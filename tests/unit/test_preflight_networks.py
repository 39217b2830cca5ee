"""Which networks the names of a database server and of the API server stand for."""

import asyncio
import socket
from ipaddress import ip_network
from typing import Any

import pytest

from deploytag.errors import UnreachableError
from deploytag.preflight import networks_of_database
from deploytag.preflight.addresses import apart_from, networks_of_api_server
from deploytag.settings import Isolation

ANSWERS: dict[str, list[str]] = {
    "db.test": ["192.0.2.9", "2001:db8::1", "192.0.2.7", "192.0.2.9"],
    "link.test": ["fe80::1%eth0"],
    "api.test": ["10.0.0.7", "8.8.8.8", "2001:4860::8", "8.8.4.4"],
}


@pytest.fixture(autouse=True)
def _name_server(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(host: str, *_: object, **__: object) -> list[Any]:
        if host not in ANSWERS:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in ANSWERS[host]]

    monkeypatch.setattr(socket, "getaddrinfo", answer)


def test_every_address_is_a_network_in_an_order_that_stays() -> None:
    found = asyncio.run(networks_of_database("db.test"))
    assert list(map(str, found)) == ["192.0.2.7/32", "192.0.2.9/32", "2001:db8::1/128"]


def test_a_link_local_address_is_one_without_its_interface() -> None:
    assert asyncio.run(networks_of_database("link.test")) == (ip_network("fe80::1/128"),)


def test_a_name_that_only_pods_know_is_a_sentence_with_the_key() -> None:
    with pytest.raises(UnreachableError, match=r"db\.inside.*Name or service not known.*isolation\.database_cidrs"):
        asyncio.run(networks_of_database("db.inside"))


def test_what_of_the_api_server_is_public_is_none_of_the_internet() -> None:
    server = asyncio.run(networks_of_api_server("https://api.test:6443/"))
    assert list(map(str, server)) == ["8.8.4.4/32", "8.8.8.8/32", "10.0.0.7/32", "2001:4860::8/128"]
    named = Isolation.model_validate({"cluster_cidrs": ["8.8.8.0/24"], "internet": False})
    apart = apart_from(named, server)
    assert list(map(str, apart.cluster_cidrs)) == ["8.8.8.0/24", "8.8.4.4/32", "2001:4860::8/128"]
    assert apart_from(apart, server) == apart
    assert apart_from(Isolation(), [ip_network("172.30.0.1")]) == Isolation(), (
        "what was private already changes nothing"
    )


def test_an_api_server_behind_a_proxy_may_have_no_address_here() -> None:
    assert asyncio.run(networks_of_api_server("https://inside:6443")) == ()
