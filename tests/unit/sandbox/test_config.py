from ipaddress import IPv4Address
from pathlib import Path

import pytest

from sandbox.config import Config, config_file, load
from sandbox.errors import SandboxError


def test_the_defaults_are_the_documented_addresses() -> None:
    config = Config()
    assert config.api_url == "https://172.30.0.1:6443"
    assert config.registry == "172.30.0.1:5000"
    assert config.aws_url == "http://172.30.0.1:4566"
    assert (config.host_end, config.inner_end) == (IPv4Address("172.31.255.1"), IPv4Address("172.31.255.2"))
    assert config.addresses[0] == IPv4Address("172.30.0.200")
    assert config.addresses[-1] == IPv4Address("172.30.0.250")
    assert config.kubernetes_service == IPv4Address("10.96.0.1")
    assert str(config.pod_subnet) == "10.244.0.0/24"


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(tmp_path: Path) -> None:
    directory = tmp_path / "sandbox"
    config_file(directory).write_text('aws_port = 4000\nregistry_port = 4001\nsubnet = "10.9.0.0/24"\n')
    environment = {"DEPLOYTAG_SANDBOX_AWS_PORT": "4002", "DEPLOYTAG_SANDBOX": str(directory)}
    config = load(directory, environment)
    assert (config.aws_port, config.registry_port, config.api_port) == (4002, 4001, 6443)
    assert config.node == IPv4Address("10.9.0.1")


def test_a_pool_is_written_as_a_range(tmp_path: Path) -> None:
    assert load(tmp_path, {"DEPLOYTAG_SANDBOX_POOL": "10-12"}).pool == (10, 12)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("SUBNET", "172.31.255.0/24", "subnet 172.31.255.0/24 and link 172.31.255.0/30 overlap"),
        ("SUBNET", "172.30.0.5/24", "subnet: "),
        ("SUBNET", "172.30.0.0/29", "subnet 172.30.0.0/29 is too small"),
        ("LINK", "172.31.255.0/31", "link 172.31.255.0/31 is too small"),
        ("POOL", "1-9", "pool 1-9"),
        ("POOL", "200-255", "pool 200-255"),
        ("POOL", "9-8", "pool 9-8"),
        ("API_PORT", "80", "api_port: "),
        ("AWS_PORT", "5000", "aws_port 5000 is the port of registry_port"),
        ("REGISTRY_PORT", "10250", "registry_port 10250 is the port of the kubelet"),
        ("REGION", "somewhere", "region: "),
        ("SUBNETS", "x", "subnets: no such setting; there are subnet,"),
    ],
)
def test_what_cannot_work_is_refused_by_name(tmp_path: Path, name: str, value: str, told: str) -> None:
    with pytest.raises(SandboxError, match="are not usable") as caught:
        load(tmp_path, {f"DEPLOYTAG_SANDBOX_{name}": value})
    assert told in str(caught.value)


def test_everything_wrong_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(SandboxError) as caught:
        load(tmp_path, {"DEPLOYTAG_SANDBOX_API_PORT": "1", "DEPLOYTAG_SANDBOX_NONSENSE": "1"})
    assert "api_port" in str(caught.value)
    assert "nonsense" in str(caught.value)


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    config_file(tmp_path / "sandbox").write_text("aws_port = ")
    with pytest.raises(SandboxError, match=r"sandbox\.toml failed"):
        load(tmp_path / "sandbox", {})
