"""Which addresses a host has: network policies know no names."""

import socket
from collections.abc import Iterable
from functools import partial
from ipaddress import ip_network
from typing import Any

from deploytag.address import HostPort
from deploytag.errors import UnreachableError
from deploytag.internet import NOT_THE_INTERNET, inside
from deploytag.preflight.patience import ask
from deploytag.settings import POLICY_FILE, Isolation, Network

TIMEOUT = 5
"""Seconds the name server may take."""


async def networks_of_database(host: str) -> tuple[Network, ...]:
    """Every address of the database server, each as a network of its own, in an order that stays.

    Raises:
        UnreachableError: the name cannot be resolved here.
    """
    try:
        found = await ask(TIMEOUT, partial(socket.getaddrinfo, host, None, type=socket.SOCK_STREAM))
    except (OSError, UnicodeError) as error:
        why = f"no answer within {TIMEOUT} s" if isinstance(error, TimeoutError) else error
        raise UnreachableError(
            f"the address of the database server {host}, which the environment's network policies name, cannot be "
            f"looked up: {why}. Nothing was touched. Where pods reach it by a name that is only known to them, say "
            f"which addresses it may have: `isolation.database_cidrs` of the class in {POLICY_FILE}."
        ) from None
    return _networks(found)


async def networks_of_api_server(server: str) -> tuple[Network, ...]:
    """Every address of the API server at the URL `server`, as above; none where only a proxy knows them."""
    try:
        host = HostPort.of_url(server).host
        return _networks(await ask(TIMEOUT, partial(socket.getaddrinfo, host, None, type=socket.SOCK_STREAM)))
    except (OSError, UnicodeError):
        return ()


def apart_from(isolation: Isolation, server: Iterable[Network]) -> Isolation:
    """The same, with the API server's public addresses among the cluster's own. Pure.

    Private ones are no internet anyway, and what the class names already is not said twice.
    """
    known = [*NOT_THE_INTERNET, *isolation.cluster_cidrs]
    more = [it for it in server if not any(inside(it, other) for other in known)]
    return isolation.model_copy(update={"cluster_cidrs": (*isolation.cluster_cidrs, *more)})


def _networks(found: Iterable[tuple[Any, ...]]) -> tuple[Network, ...]:
    # A link-local address comes with the interface it is on.
    addresses = {str(address[0]).partition("%")[0] for *_, address in found}
    return tuple(sorted(map(ip_network, addresses), key=lambda it: (it.version, it)))
