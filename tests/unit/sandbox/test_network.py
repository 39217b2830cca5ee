import pytest

from sandbox import network
from sandbox.config import Config
from sandbox.errors import SandboxError
from sandbox.network import conflicts


def test_an_ordinary_machine_is_fine() -> None:
    assert conflicts(Config(), [("192.168.1.0/24", "eth0"), ("172.17.0.0/16", "docker0")], ["192.168.1.1"]) == []


def test_a_subnet_in_use_is_named_with_its_device() -> None:
    assert conflicts(Config(), [("172.30.0.0/16", "tun0")], []) == [
        "subnet 172.30.0.0/24 is in use: the host has a route to 172.30.0.0/16 on tun0."
    ]


def test_a_route_to_a_single_address_counts() -> None:
    assert "link 172.31.255.0/30 is in use" in conflicts(Config(), [("172.31.255.2", "eth1")], [])[0]


def test_cluster_addresses_may_exist_outside_as_long_as_nobody_inside_needs_them() -> None:
    assert conflicts(Config(), [("10.0.0.0/8", "vpn0")], ["192.168.1.1"]) == []
    assert (
        "contains the host's nameserver 10.96.0.53" in conflicts(Config(), [("10.0.0.0/8", "vpn0")], ["10.96.0.53"])[0]
    )


def test_a_vpn_that_takes_everything_leaves_our_subnets_to_us() -> None:
    # Half of all addresses each, so as to come before the default route without replacing it.
    assert conflicts(Config(), [("0.0.0.0/1", "tun0"), ("128.0.0.0/1", "tun0")], []) == []


def test_a_tool_that_is_not_installed_yet_is_named() -> None:
    with pytest.raises(SandboxError, match=r"`no-such-program --now` failed: there is no such program"):
        network.run("no-such-program", "--now")


def test_what_a_missing_tool_cannot_have_made_need_not_be_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    network.detach()
    assert not network.attached(Config())
