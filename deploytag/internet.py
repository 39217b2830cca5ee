"""Which addresses are the internet, and which are somebody's inside: what network policies go by. Pure."""

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network

Network = IPv4Network | IPv6Network

ANYWHERE = (IPv4Network("0.0.0.0/0"), IPv6Network("::/0"))

NOT_THE_INTERNET = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT: pods of many clouds, and Alibaba's metadata
        "127.0.0.0/8",
        "168.63.129.16/32",  # Azure's metadata and certificates, at a public address
        "169.254.0.0/16",  # the metadata of AWS, Google and most others
        "172.16.0.0/12",
        "192.0.0.0/24",  # Oracle's metadata
        "192.168.0.0/16",
        "198.18.0.0/15",
        "224.0.0.0/4",
        "240.0.0.0/4",  # pods of some clusters
        "::/127",
        "64:ff9b:1::/48",
        "fc00::/7",  # unique local, and AWS's metadata fd00:ec2::254
        "fe80::/10",
        "ff00::/8",
    )
)
"""Addresses where nodes, pods, Services, databases and the cloud's metadata are: never public, or not meant to be."""

NAT64 = IPv6Network("64:ff9b::/96")
"""Where clusters that only have IPv6 find every IPv4 address, the private ones too (RFC 6052)."""


def not_the_internet(version: int, cluster: Iterable[Network] = ()) -> list[Network]:
    """What of all addresses of one family (4 or 6) is not the internet.

    Args:
        version: of IP.
        cluster: public addresses that are the cluster's own.
    """
    excluded = [*NOT_THE_INTERNET, *cluster]
    if version == 4:
        return list(collapse_addresses(it for it in excluded if isinstance(it, IPv4Network)))
    translated = [_through_nat64(it) for it in excluded if isinstance(it, IPv4Network)]
    return list(collapse_addresses([*(it for it in excluded if isinstance(it, IPv6Network)), *translated]))


def inside(inner: Network, outer: Network) -> bool:
    """Whether every address of `inner` is one of `outer`; of two families none is."""
    if isinstance(inner, IPv4Network) and isinstance(outer, IPv4Network):
        return inner.subnet_of(outer)
    if isinstance(inner, IPv6Network) and isinstance(outer, IPv6Network):
        return inner.subnet_of(outer)
    return False


def _through_nat64(network: IPv4Network) -> IPv6Network:
    first = int(NAT64.network_address) | int(network.network_address)
    return IPv6Network((first, NAT64.prefixlen + network.prefixlen))
