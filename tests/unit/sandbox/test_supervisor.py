import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.errors import SandboxError
from sandbox.supervisor import NotListeningError, Supervisor


@pytest.fixture
def path() -> Iterator[Path]:
    # Sockets have short paths, temporary folders of tests long ones.
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "supervisor.sock"


def test_a_supervisord_that_does_not_listen_yet_is_a_sentence(path: Path) -> None:
    for order in (lambda: Supervisor(path).states(), lambda: Supervisor(path).start("etcd")):
        with pytest.raises(NotListeningError, match="is being started or stopped at this moment"):
            order()


def test_neither_is_one_whose_socket_nobody_serves(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    with pytest.raises(SandboxError, match="is being started or stopped at this moment"):
        Supervisor(path).states()
