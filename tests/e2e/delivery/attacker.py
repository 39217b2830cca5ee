"""What a hostile branch would try, from inside one of its pods: `python3 - ATTEMPTS < attacker.py`.

ATTEMPTS is a JSON object of calls by name: `{"B's pod": ["tcp", "10.244.0.7", 8080]}`. Printed is one of outcomes: an
empty text where the attempt succeeded, else the reason why it did not. Only the image's own packages are at hand.
"""

import json
import os
import socket
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any

SECONDS = 4.0


def tcp(host: str, port: int) -> None:
    """Connect."""
    socket.create_connection((host, port), timeout=SECONDS).close()


def udp(host: str, port: int) -> None:
    """Send a datagram, which may get lost, until one is answered."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as it:
        it.settimeout(SECONDS / 4)
        for left in reversed(range(4)):
            it.sendto(b"?", (host, port))
            try:
                it.recv(1)
                return
            except TimeoutError:
                if not left:
                    raise


def resolve(name: str) -> None:
    """Ask the name server."""
    socket.getaddrinfo(name, None)


def connected(**changes: Any) -> Any:
    """A connection to the environment's database, or to another one."""
    connection = import_module("psycopg2").connect(os.environ["DATABASE_URL"], connect_timeout=int(SECONDS), **changes)
    connection.autocommit = True
    return connection


def database(statement: str, **changes: str) -> None:
    """Connect, and have one statement executed."""
    connection = connected(**changes)
    try:
        connection.cursor().execute(statement)
    finally:
        connection.close()


def connections(wanted: int) -> None:
    """Open so many connections, and hold them; fails saying how many there were."""
    held, reasons = [], set()
    for _ in range(wanted):
        try:
            held.append(connected())
        except Exception as error:
            reasons.add(str(error).strip().rpartition("FATAL:  ")[2])
    for connection in held:
        connection.close()
    if reasons:
        raise RuntimeError(f"{len(held)} held; {'; '.join(sorted(reasons))}")


def redis() -> None:
    """Ask the environment's Redis."""
    import_module("redis").Redis.from_url(os.environ["REDIS_URL"], socket_timeout=SECONDS).ping()


def read(path: str) -> None:
    """Read a file."""
    with open(path, "rb") as file:  # noqa: PTH123 - one line less to trust
        file.read(1)


ATTEMPTS: dict[str, Callable[..., None]] = {
    attempt.__name__: attempt for attempt in (tcp, udp, resolve, database, connections, redis, read)
}


def outcome(kind: str, *arguments: Any) -> str:
    """Empty, or why it did not succeed."""
    options = arguments[-1] if arguments and isinstance(arguments[-1], dict) else {}
    try:
        ATTEMPTS[kind](*(arguments[:-1] if options else arguments), **options)
    except Exception as error:
        return f"{type(error).__name__}: {str(error).strip()}"
    return ""


if __name__ == "__main__":
    wanted: dict[str, list[Any]] = json.loads(sys.argv[1])
    with ThreadPoolExecutor(len(wanted)) as threads:
        found = {name: threads.submit(outcome, *call) for name, call in wanted.items()}
        print(json.dumps({name: it.result() for name, it in found.items()}))
