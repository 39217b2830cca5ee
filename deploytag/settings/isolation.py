"""What the pods of a class may reach and may be: the policy's key `isolation`."""

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from deploytag.settings.types import SettingsModel


def _network(text: object) -> object:
    if isinstance(text, IPv4Network | IPv6Network):
        return text
    try:
        # A number would be taken for an address.
        found = ip_network(str(text))
    except ValueError:
        raise ValueError("must be a range of addresses such as 10.1.0.0/16, no bit set behind the prefix") from None
    if found.prefixlen == 0:
        # What means everything is said by `internet` and `network`, where somebody who reads the file looks for it.
        raise ValueError("must be narrower than all addresses")
    return found


Network = Annotated[IPv4Network | IPv6Network, BeforeValidator(_network, json_schema_input_type=str)]
"""Addresses as a CIDR; a single one may be written without its prefix."""

Port = Annotated[int, Field(ge=1, le=65535)]


class Destination(SettingsModel):
    """Somewhere outside of the environment that its pods may connect to."""

    cidr: Network
    ports: tuple[Port, ...] = Field(min_length=1)
    protocol: Literal["TCP", "UDP"] = "TCP"


class Isolation(SettingsModel):
    """How the environments of a class are kept apart from everything else."""

    pod_security: Literal["restricted", "baseline"] = Field(
        default="restricted", description="the Pod Security Standard that every pod has to meet"
    )
    network: bool = Field(
        default=True,
        description="network policies: nothing but what is named here may be reached; false: none are made",
    )
    internet: bool = Field(
        default=True, description="whether pods may connect to public addresses; private ones are never among them"
    )
    cluster_cidrs: tuple[Network, ...] = Field(
        default=(), description="public addresses of the cluster's own (nodes, API server): not part of the internet"
    )
    dns_cidrs: tuple[Network, ...] = Field(
        default=(),
        description="where names are resolved other than by the kube-dns pods: 169.254.20.10 for NodeLocal DNSCache",
    )
    database_cidrs: tuple[Network, ...] = Field(
        default=(),
        description="where the database server may be; without it, what its name resolves to at each deployment. "
        "Name the subnets of a server whose address moves (RDS failover)",
    )
    database_ports: tuple[Port, ...] = Field(
        default=(5432, 6432),
        description="at which ports those of `database_cidrs` are reached, beside PGPORT; PostgreSQL's and PgBouncer's",
    )
    allow: tuple[Destination, ...] = Field(default=(), description="what else pods may connect to")
