"""A process that takes a lease, and then does what it is told: `python -m tests.e2e.delivery.holder REF SECONDS`.

It prints a line of JSON for everything that happens, and reads a word a line: `check`, `engine`, `leave`.
"""

import json
import os
import sys
import threading
import time
from typing import Any

from deploytag.delivery.cluster import Cluster
from deploytag.delivery.lease.acquire import Leases
from deploytag.delivery.run import Action, Run
from deploytag.errors import BusyError
from deploytag.identity import identify
from deploytag.preflight.cluster import connect

PROJECT = "leases"

_printing = threading.Lock()


def say(event: str, **more: Any) -> None:
    """Print a line; the lease's own thread does so too."""
    with _printing:
        print(json.dumps({"event": event, "now": time.clock_gettime(time.CLOCK_BOOTTIME), **more}), flush=True)


def main(ref: str, seconds: int) -> None:
    """Hold it until told to leave."""
    api, _ = connect(os.environ["KUBECONFIG"])
    lease = Leases(Cluster(api), seconds).acquire(
        identify(PROJECT, ref),
        Run.start(Action.DEPLOY, "c" * 40),
        patience=120,
        give_up=lambda: None,
        waiting=lambda state: say("waiting", for_=state.holder),
    )
    with lease:
        previous = lease.previous.run.pid if lease.previous and lease.previous.run else None
        say("held", previous=previous, engines=[engine.pid for engine in lease.engines])
        lease.on_renewed(lambda deadline: say("renewed", deadline=deadline))
        for line in sys.stdin:
            match line.strip():
                case "check":
                    try:
                        lease.check()
                        say("checked", complaint=None)
                    except BusyError as error:
                        say("checked", complaint=str(error))
                case "engine":
                    lease.engine_started(os.getpid())
                    say("noted")
                case "leave":
                    break
    say("left")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
