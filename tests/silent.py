"""A git server that accepts connections and never says a word."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True)
class SilentServer:
    """Its address, and who waits for an answer."""

    url: str
    held: list[socket.socket] = field(default_factory=list)


@contextmanager
def silent_git_server() -> Iterator[SilentServer]:
    """On the loopback interface, until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        it = SilentServer(f"git://127.0.0.1:{server.getsockname()[1]}/shop.git")

        def accept() -> None:
            try:
                while True:
                    it.held.append(server.accept()[0])
            except OSError:
                return  # the test is over

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield it
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
        for connection in it.held:
            connection.close()
