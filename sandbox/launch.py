"""Starts the namespaces with supervisord in them, and ends them."""

import shlex
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil

from sandbox import cgroups, host, network, record
from sandbox.config import Config
from sandbox.errors import SandboxError
from sandbox.init import Plan, dump
from sandbox.layout import Layout
from sandbox.patience import NotYetError, patiently

# The clone whose code runs inside.
SOURCE = Path(__file__).parent.parent
# Everything is stopped in order within this time, or killed.
GRACE_SECONDS = 20.0


def start(config: Config, layout: Layout, cache: Path, fingerprint: str) -> None:
    """Start an empty sandbox: namespaces, network and supervisord, which runs nothing yet."""
    current = replace(
        record.new(layout.root),
        fingerprint=fingerprint,
        source=str(SOURCE),
        python=sys.executable,
        forwarded=host.forwards(),
    )
    # What is changed is written down first, so that an interrupted start is cleaned up like a finished one.
    changes = host.forwarding(network.uplinks())
    for hierarchy in cgroups.hierarchies():
        changes += host.delegation(hierarchy.mountpoint) if hierarchy.unified else []
    current = replace(current, undo={str(change.path): change.undo for change in changes})
    record.write(current)
    for change in changes:
        change.path.write_text(change.wanted)

    layout.supervisor_socket.unlink(missing_ok=True)
    plan_file = layout.etc / "init.json"
    plan_file.write_text(dump(_plan(config, layout, cache)))
    process = _enter(plan_file, layout.logs / "init.log")
    first = _first_process(process)
    record.write(current.started(first))
    cgroups.vacate([process.pid, first.pid])
    network.attach(first.pid, config)
    assert process.stdin  # noqa: S101 - it was asked for
    try:
        process.stdin.write(b"connected\n")
        process.stdin.close()
    except BrokenPipeError:
        raise SandboxError(_why(layout)) from None

    def answers() -> None:
        if process.poll() is not None:
            raise SandboxError(_why(layout))
        if not layout.supervisor_socket.is_socket():
            raise NotYetError

    patiently(answers, seconds=15, every=0.02)


def _plan(config: Config, layout: Layout, cache: Path) -> Plan:
    return Plan(
        directories=[str(layout.root), str(cache)],
        cgroups=[(str(one.mountpoint), one.options) for one in cgroups.hierarchies()],
        resolv_conf=str(layout.etc / "resolv.conf"),
        links=[
            "link set lo up",
            f"address add {config.inner_end}/{config.link.prefixlen} dev {network.INNER_LINK}",
            f"link set {network.INNER_LINK} up",
            f"route add default via {config.host_end}",
            # The node needs an address of its own: the `kubernetes` Service refuses a loopback one.
            "link add node0 type bridge",
            f"address add {config.node}/{config.subnet.prefixlen} dev node0",
            "link set node0 up",
            # A pod's address is nobody's until the pod is there again: not to be looked for on the way out.
            f"route add unreachable {config.pods} metric 4096",
        ],
        database=str(layout.root / "database"),
        volumes=str(layout.root / "volumes"),
        scratch=str(layout.temporary),
        supervisord=[
            str(Path(sys.executable).with_name("supervisord")),
            "--nodaemon",
            "--configuration",
            str(layout.etc / "supervisord.conf"),
        ],
    )


def _enter(plan_file: Path, log: Path) -> subprocess.Popen[bytes]:
    entries = " ".join(shlex.quote(str(entry)) for entry in cgroups.create())
    command = [
        *(
            "unshare",
            "--net",
            "--mount",
            "--cgroup",
            "--ipc",
            "--pid",
            "--fork",
            "--kill-child=SIGKILL",
            "--mount-proc",
        ),
        *(sys.executable, "-m", "sandbox.init", str(plan_file)),
    ]
    environment = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/root",
        "LC_ALL": "C.UTF-8",
        "PYTHONPATH": str(SOURCE),
        "PYTHONUNBUFFERED": "1",
    }
    with log.open("wb") as output:
        return subprocess.Popen(
            # The groups are entered before the namespaces are made: the group of this moment becomes the root inside.
            ["/bin/sh", "-ec", f"for group in {entries}; do echo $$ > $group; done; exec {shlex.join(command)}"],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            env=environment,
            cwd="/",
            # A Ctrl-C in the terminal is for `up`, not for the sandbox.
            start_new_session=True,
        )


def _first_process(parent: subprocess.Popen[bytes]) -> psutil.Process:
    """The child of unshare(1): process 1 inside."""

    def child() -> psutil.Process:
        if parent.poll() is not None:
            raise SandboxError("`unshare --net --mount --cgroup --pid` failed; this machine does not allow namespaces.")
        children = psutil.Process(parent.pid).children()
        if not children:
            raise NotYetError
        return children[0]

    return patiently(child, seconds=10, every=0.005)


def _why(layout: Layout) -> str:
    said = (layout.logs / "init.log").read_text().strip().splitlines()
    return "Starting the sandbox's first process failed: " + (said[-1] if said else f"see {layout.logs}.")


def stop() -> None:
    """End every process of the sandbox and undo what was done to the host, whatever of it is there."""
    current = record.read()
    process = current.process() if current else None
    if process:
        # supervisord is process 1 inside: it stops its parts in order, and the kernel ends what remains with it.
        # It may also end by itself at this very moment.
        with suppress(psutil.NoSuchProcess):
            process.terminate()
            try:
                process.wait(GRACE_SECONDS)
            except psutil.TimeoutExpired:
                process.kill()
    cgroups.remove()
    network.detach()
    if current:
        host.restore(current.undo, forwarded=current.forwarded)
    record.remove()
