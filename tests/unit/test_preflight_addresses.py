"""How addresses are read, and what is said about one that cannot be."""

from collections.abc import Mapping

import pytest

from deploytag.address import AddressError, HostPort, parse_host_port
from deploytag.administrator import Administrator
from deploytag.errors import SettingsError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("host.test:5000", HostPort("host.test", 5000)),
        ("host.test", HostPort("host.test", 443)),
        ("[::1]:6443", HostPort("::1", 6443)),
        ("[::1]", HostPort("::1", 443)),
        ("bücher.test:1", HostPort("bücher.test", 1)),
    ],
)
def test_a_host_and_a_port_are_read(text: str, expected: HostPort) -> None:
    assert parse_host_port(text, 443) == expected
    assert parse_host_port(str(expected)) == expected


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("https://host.test", "without https://"),
        ("host.test:abc", "'abc' is no port"),
        ("host.test:0", "'0' is no port"),
        ("host.test:65536", "'65536' is no port"),
        ("host.test:²", "is no port"),
        ("host.test:", "'' is no port"),
        ("::1", "in brackets"),
        (":5000", "names no host"),
        ("", "names no host"),
        ("a b:1", "names no host"),
        ("a..b:1", "names no host"),
        (f"{'a' * 64}.test:1", "names no host"),
        ("host.test", "names no port"),
        ("[::1]x", "in brackets"),
        ("[::1", "in brackets"),
    ],
)
def test_what_is_no_address_is_said(text: str, sentence: str) -> None:
    with pytest.raises(AddressError, match=sentence):
        parse_host_port(text)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://host.test", HostPort("host.test", 443)),
        ("HTTP://host.test/path?a=b", HostPort("host.test", 80)),
        ("http://user:p%40ss@proxy.test:3128/", HostPort("proxy.test", 3128)),
        ("https://[::1]:6443", HostPort("::1", 6443)),
    ],
)
def test_the_address_of_a_url(url: str, expected: HostPort) -> None:
    assert HostPort.of_url(url) == expected


@pytest.mark.parametrize(
    "url",
    ["localhost:5000", "host.test", "ftp://host.test", "http://host.test:abc", "http://", "http://[::1", "http://[x]/"],
)
def test_what_is_no_url_is_said(url: str) -> None:
    with pytest.raises(AddressError):
        HostPort.of_url(url)


def test_the_administrator_is_what_libpqs_variables_say() -> None:
    everything = {
        "PGHOST": "db.test",
        "PGPORT": "6543",
        "PGUSER": "admin",
        "PGDATABASE": "maintenance",
        "PGSSLMODE": "verify-full",
    }
    assert Administrator.from_environ(everything) == Administrator(
        "db.test", 6543, "admin", "maintenance", "verify-full"
    )
    assert Administrator.from_environ({"PGHOST": "db.test", "PGPORT": "", "PGUSER": ""}) == Administrator("db.test")
    assert Administrator("db.test").database == "postgres", "not the user's name, as libpq would"


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        ({}, "no database server is named: set PGHOST"),
        ({"PGHOST": ""}, "no database server is named: set PGHOST"),
        ({"PGHOST": "db.test", "PGPORT": "abc"}, "PGPORT cannot be used: 'abc' is no port"),
    ],
)
def test_no_administrator_is_a_sentence(environ: Mapping[str, str], sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        Administrator.from_environ(environ)
