"""The process: listen, tell the engine the port, and end when the engine does."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import shutil
import signal
import sys
import tempfile
import threading
from concurrent import futures
from typing import TYPE_CHECKING, Final

import grpc

from sandbox.plugins.provider import scratch
from sandbox.plugins.provider.base import Provider
from sandbox.plugins.provider.service import Service

if TYPE_CHECKING:
    from pulumi.runtime.proto import provider_pb2_grpc
else:
    from sandbox.plugins.provider.pb import provider_pb2_grpc

_MAX_MESSAGE: Final = 400 * 1024 * 1024
_OPTIONS: Final = [("grpc.max_receive_message_length", _MAX_MESSAGE), ("grpc.max_send_message_length", _MAX_MESSAGE)]
# The engine runs 4 operations per core at once unless told otherwise; most of them wait on a socket.
_THREADS: Final = 64
_GRACE: Final = 4.0


def serve(provider: Provider) -> int:
    """Serve `provider` until the engine ends; call it from `__main__` with `sys.argv` as the engine gave it."""
    # Whatever a library prints goes to stderr, which the engine shows in debug mode only: stdout carries the port.
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    # Libraries write keys and the like to temporary files. We end by os._exit, which runs none of their clean-ups.
    tempfile.tempdir = scratch.make(provider.name)
    server = grpc.server(futures.ThreadPoolExecutor(_THREADS, thread_name_prefix="rpc"), options=_OPTIONS)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Service(provider), server)
    port = server.add_insecure_port("127.0.0.1:0")
    # A pipe, and no Event: whichever thread the system hands a signal to, and whatever the main thread is just doing, a
    # byte is written and wakes it. An Event can miss one, and then the user waits until the engine kills us.
    ended, end = os.pipe()
    os.set_blocking(end, False)
    signal.set_wakeup_fd(end, warn_on_full_buffer=False)
    # The engine ends a plugin with SIGINT, and kills it 5 s later. A terminal's Ctrl-C does not come here: plugins run
    # in process groups of their own, and the engine tells them by Cancel.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    threading.Thread(target=_watch, args=(os.getppid(), end), name="engine-watch", daemon=True).start()
    server.start()
    print(port, flush=True)
    threading.Thread(target=provider.warm_up, name="warm-up", daemon=True).start()
    os.read(ended, 1)
    provider.cancel()
    server.stop(_GRACE).wait(_GRACE)
    shutil.rmtree(tempfile.tempdir, ignore_errors=True)
    # Not sys.exit: a worker thread that does not return must not keep the process.
    os._exit(0)


def _watch(parent: int, end: int) -> None:
    """Write to `end` when the process `parent` ends, however it ends.

    A file descriptor of the parent tells at once. PR_SET_PDEATHSIG would watch only the parent's thread that started
    us, and the engine, a Go program, may end its threads.
    """
    if parent == 0:  # In a pid namespace of our own the engine cannot be seen; its signal has to do.
        return
    with contextlib.suppress(ProcessLookupError):
        descriptor = os.pidfd_open(parent)
        if os.getppid() == parent:
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            poll.poll()
    os.write(end, b"\0")
