"""Orders to the running supervisord."""

import http.client
import xmlrpc.client
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supervisor.xmlrpc import Faults, SupervisorTransport

from sandbox.errors import SandboxError


@dataclass(frozen=True)
class ProcessState:
    """What supervisord knows about a part."""

    name: str
    state: str
    pid: int  # inside the sandbox
    description: str

    @property
    def running(self) -> bool:
        """It has been up for a second."""
        return self.state == "RUNNING"

    @property
    def hopeless(self) -> bool:
        """Supervisord has given up on it."""
        return self.state == "FATAL"


class NotListeningError(SandboxError):
    """The sandbox is there, and its supervisord takes no orders."""


class Supervisor:
    """One connection; not for use by two threads at once."""

    def __init__(self, socket: Path) -> None:
        """Connect on the first order."""
        self._socket = socket
        transport = SupervisorTransport(None, None, serverurl=f"unix://{socket}")
        # The address is never looked at: the transport knows the socket.
        self._rpc: Any = xmlrpc.client.ServerProxy("http://sandbox", transport=transport)

    def states(self) -> dict[str, ProcessState]:
        """Every part by name."""
        try:
            with self._listening():
                everything = self._rpc.supervisor.getAllProcessInfo()
        except xmlrpc.client.Fault as fault:
            if fault.faultCode == Faults.SHUTDOWN_STATE:
                raise SandboxError("The sandbox is being stopped at this moment. Try again when it is down.") from None
            raise
        return {
            info["name"]: ProcessState(info["name"], info["statename"], info["pid"], info["description"])
            for info in everything
        }

    def start(self, name: str) -> None:
        """Start a part; it is no error that it runs."""
        try:
            with self._listening():
                self._rpc.supervisor.startProcess(name, False)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode != Faults.ALREADY_STARTED:
                raise

    @contextmanager
    def _listening(self) -> Iterator[None]:
        try:
            yield
        except (OSError, http.client.HTTPException) as error:
            raise NotListeningError(
                f"The sandbox's supervisord does not answer at {self._socket} ({error}): it is being started or "
                "stopped at this moment. Try again; if that does not help, end it with `python -m sandbox down`."
            ) from None
