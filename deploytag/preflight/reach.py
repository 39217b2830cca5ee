"""Asks whether endpoints answer: one TCP or unix connection each, all at once."""

import asyncio
import socket
from collections.abc import Sequence
from functools import partial
from pathlib import PurePosixPath

from deploytag.address import HostPort
from deploytag.preflight.endpoints import Endpoint
from deploytag.preflight.patience import ask

TIMEOUT = 3.0
"""Seconds one connection may take, its name server included."""


async def unreachable(endpoints: Sequence[Endpoint]) -> list[str]:
    """A sentence for each endpoint that does not answer, in the order given."""
    answers = await asyncio.gather(*(_complaint(endpoint) for endpoint in endpoints))
    return [complaint for complaint in answers if complaint is not None]


async def _complaint(endpoint: Endpoint) -> str | None:
    try:
        await ask(TIMEOUT, partial(_connect, endpoint.address))
    except TimeoutError:
        why = f"no answer within {TIMEOUT:.0f} s"
    except OSError as error:
        why = error.strerror or str(error)
    except UnicodeError:
        why = "no host can have this name"
    else:
        return None
    return (
        f"{endpoint.service} does not answer at {endpoint.address} ({why}). "
        f"The address comes from {endpoint.configured_by}."
    )


def _connect(address: HostPort | PurePosixPath) -> None:
    if isinstance(address, HostPort):
        socket.create_connection((address.host, address.port), timeout=TIMEOUT).close()
        return
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(TIMEOUT)
        connection.connect(str(address))
