"""What may be configured about the sandbox: subnets and ports, each with a default that suits most machines.

Values come from the defaults, then `<DIR>.toml` beside the sandbox's directory (so that `reset` keeps it), then
DEPLOYTAG_SANDBOX_<KEY> in the environment.
"""

import os
import tomllib
from collections.abc import Mapping
from functools import cached_property
from ipaddress import IPv4Address, IPv4Network
from itertools import combinations
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from sandbox.errors import SandboxError

PREFIX = "DEPLOYTAG_SANDBOX_"
# Names of the only node, and of the cluster in kubeconfigs.
NODE = "sandbox"
CLUSTER = "deploytag-sandbox"

# The defaults end in .0, which pydantic would also accept from an address with host bits set: name the mistake instead.
Subnet = Annotated[IPv4Network, BeforeValidator(lambda value: IPv4Network(value, strict=True))]
Port = Annotated[int, Field(ge=1024, le=65535)]


class Config(BaseModel):
    """The network and the ports of one sandbox."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    subnet: Subnet = Field(
        default=IPv4Network("172.30.0.0/24"), description="the node's own subnet; the host has a route to it"
    )
    link: Subnet = Field(
        default=IPv4Network("172.31.255.0/30"), description="the cable between the host and the sandbox"
    )
    pods: Subnet = Field(default=IPv4Network("10.244.0.0/16"), description="addresses of pods, inside the sandbox only")
    services: Subnet = Field(
        default=IPv4Network("10.96.0.0/16"), description="cluster addresses, inside the sandbox only"
    )
    pool: tuple[int, int] = Field(
        default=(200, 250), description="first and last LoadBalancer address, counted in the subnet"
    )
    api_port: Port = 6443
    registry_port: Port = 5000
    database_port: Port = 5432
    aws_port: Port = 4566
    region: str = Field(default="us-east-1", pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")

    @model_validator(mode="after")
    def _networks_fit(self) -> Self:
        networks = {name: getattr(self, name) for name in ("subnet", "link", "pods", "services")}
        for (one, first), (other, second) in combinations(networks.items(), 2):
            if first.overlaps(second):
                raise ValueError(f"{one} {first} and {other} {second} overlap")
        for name, longest in (("subnet", 28), ("link", 30), ("pods", 24), ("services", 24)):
            if networks[name].prefixlen > longest:
                raise ValueError(f"{name} {networks[name]} is too small: /{longest} is the smallest that works")
        first, last = self.pool
        if not 1 < first <= last < self.subnet.num_addresses - 1:
            raise ValueError(f"pool {first}-{last} is not inside {self.subnet} beside the node's own address")
        return self

    @model_validator(mode="after")
    def _ports_differ(self) -> Self:
        taken: dict[int, str] = {
            10250: "the kubelet",
            10256: "kube-proxy",
            10257: "the controller manager",
            10258: "the network policies",
            10259: "the scheduler",
        }
        for name in ("api_port", "registry_port", "database_port", "aws_port"):
            port = getattr(self, name)
            if port in taken:
                raise ValueError(f"{name} {port} is the port of {taken[port]}")
            taken[port] = name
        return self

    @cached_property
    def node(self) -> IPv4Address:
        """The address of the node, the registry, the database and the AWS endpoint."""
        return self.subnet[1]

    @cached_property
    def host_end(self) -> IPv4Address:
        """The host's end of the cable."""
        return self.link[1]

    @cached_property
    def inner_end(self) -> IPv4Address:
        """The sandbox's end of the cable."""
        return self.link[2]

    @cached_property
    def kubernetes_service(self) -> IPv4Address:
        """The cluster address of the API server, always the first of the range."""
        return self.services[1]

    @cached_property
    def pod_subnet(self) -> IPv4Network:
        """The part of the pod addresses that belongs to the only node."""
        return next(self.pods.subnets(new_prefix=24)) if self.pods.prefixlen < 24 else self.pods

    @cached_property
    def addresses(self) -> tuple[IPv4Address, ...]:
        """What Services of type LoadBalancer get, in order."""
        first, last = self.pool
        return tuple(self.subnet[number] for number in range(first, last + 1))

    @property
    def api_url(self) -> str:
        """Where the API server answers."""
        return f"https://{self.node}:{self.api_port}"

    @property
    def registry(self) -> str:
        """The registry as image names spell it."""
        return f"{self.node}:{self.registry_port}"

    @property
    def aws_url(self) -> str:
        """Where Secrets Manager, S3 and STS answer."""
        return f"http://{self.node}:{self.aws_port}"


def config_file(data: Path) -> Path:
    """The optional file with settings of this machine."""
    return data.with_name(f"{data.name}.toml")


def load(data: Path, environment: Mapping[str, str] = os.environ) -> Config:
    """Read the configuration of the sandbox in `data`, or say everything that is wrong with it."""
    path = config_file(data)
    try:
        values = tomllib.loads(path.read_text()) if path.exists() else {}
    except (tomllib.TOMLDecodeError, OSError) as error:
        raise SandboxError(f"Reading {path} failed: {error}.") from error
    values |= {
        name.removeprefix(PREFIX).lower(): _parsed(value)
        for name, value in environment.items()
        if name.startswith(PREFIX)
    }
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise SandboxError(_complaints(error, path)) from None


def _parsed(value: str) -> object:
    # Only `pool` is no scalar: "200-250".
    first, dash, last = value.partition("-")
    return (first, last) if dash and first.isdigit() and last.isdigit() else value


def _complaints(error: ValidationError, path: Path) -> str:
    lines = [f"The sandbox's settings ({path} and {PREFIX}* variables) are not usable:"]
    for problem in error.errors():
        key = ".".join(str(part) for part in problem["loc"])
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            message = f"no such setting; there are {', '.join(Config.model_fields)}"
        lines.append(f"  {key}: {message}" if key else f"  {message}")
    return "\n".join(lines)
