"""`up`, `down` and `reset`, from top to bottom."""

import fcntl
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sandbox import config as configuration
from sandbox import configure, images, launch, network, packages, paths, record, toolchain
from sandbox.config import Config
from sandbox.errors import SandboxError
from sandbox.layout import Layout
from sandbox.plugins.install import PluginStatus, install
from sandbox.probes import Probes
from sandbox.progress import duration, step
from sandbox.services import parts
from sandbox.starting import start_all, unready

OWN_CLUSTER = "To use a cluster of your own instead, see docs/: nothing of the sandbox is needed then."


@dataclass(frozen=True)
class Sandbox:
    """One sandbox: its settings and its directory."""

    config: Config
    layout: Layout

    @classmethod
    def here(cls) -> "Sandbox":
        """The one that the environment names."""
        directory = paths.data()
        return cls(configuration.load(directory), Layout(directory))

    @property
    def running(self) -> bool:
        """Whether its first process lives."""
        return record.alive(self.layout.root) is not None


def check_machine() -> None:
    """Say in one sentence what this machine lacks, before anything is begun."""
    if platform.system() != "Linux":
        raise SandboxError(f"The sandbox needs Linux; this is {platform.system()}. {OWN_CLUSTER}")
    if os.geteuid() != 0:
        raise SandboxError(f"The sandbox needs root: it makes network namespaces and runs containers. {OWN_CLUSTER}")


def up(sandbox: Sandbox, plugin_choice: str | None = None) -> list[PluginStatus]:
    """Make everything run and answer; quick when it does already."""
    check_machine()
    sandbox.layout.check()
    record.refuse_foreign(record.read(), sandbox.layout.root)
    packages.ensure()
    programs = toolchain.ensure()
    images.prepare()
    with _exclusive(sandbox.layout):
        generated = configure.files(sandbox.config, sandbox.layout, programs, configure.resolv_conf())
        mark = configure.fingerprint(generated)
        probes = Probes(sandbox.config, sandbox.layout, programs)
        everything = parts(sandbox.config, sandbox.layout, programs)
        current = record.alive(sandbox.layout.root)
        if current and (reason := _out_of_date(sandbox, current, mark)):
            with step(f"Stopping the sandbox, because {reason}"):
                launch.stop()
            current = None
        if not current:
            _start(sandbox, programs, generated, mark)
        if not current or unready(everything, sandbox.layout, probes):
            with step(f"Starting {len(everything)} parts", usual="10 s") as starting:
                then = {"apiserver": partial(_apply_objects, sandbox, programs)}
                seconds = start_all(everything, sandbox.layout, probes, then)
                slow = sorted(seconds.items(), key=lambda item: item[1])[-3:]
                starting.outcome = "all answer (last: " + ", ".join(f"{name} {duration(at)}" for name, at in slow) + ")"
        _fill(sandbox, fresh=not current)
    # Debian's images are served here as docker.io's, and a `FROM` tag is to be looked up where builds take it from.
    mirror = {"DEPLOYTAG_DOCKER_MIRROR": f"http://{sandbox.config.registry}"}
    return install(plugin_choice, sandbox.layout.pulumi_home, programs, environment=mirror)


def _out_of_date(sandbox: Sandbox, current: record.Record, mark: str) -> str | None:
    """Why what runs cannot be kept."""
    if current.fingerprint != mark:
        return "its configuration or code changed"
    return None if network.attached(sandbox.config) else "its network connection was taken away"


def _start(sandbox: Sandbox, programs: Path, generated: dict[Path, str], mark: str) -> None:
    with step("Making the sandbox's namespaces and network"):
        # What a killed sandbox or an interrupted start left.
        launch.stop()
        servers = configure.nameservers(configure.resolv_conf())
        if problems := network.conflicts(sandbox.config, network.routes(), servers):
            where = f"{configuration.config_file(sandbox.layout.root)} or {configuration.PREFIX}<KEY>"
            raise SandboxError("\n".join([*problems, f"Choose another subnet in {where}."]))
        configure.write(sandbox.config, sandbox.layout, generated)
        link = sandbox.layout.etc / "toolchain"
        link.unlink(missing_ok=True)
        link.symlink_to(programs)
        launch.start(sandbox.config, sandbox.layout, paths.cache(), mark)


def _fill(sandbox: Sandbox, *, fresh: bool) -> None:
    """What the services hold from the start."""
    images.publish(sandbox.config.registry, sandbox.layout.buildkit_host)
    if fresh:
        with step("Seeding the secrets"):
            from sandbox import aws  # noqa: PLC0415 - boto3 takes half a second

            aws.seed(sandbox.config)


def _apply_objects(sandbox: Sandbox, programs: Path) -> None:
    """The cluster's own objects."""
    layout = sandbox.layout
    command = [
        *(
            str(programs / "kubectl"),
            f"--kubeconfig={layout.kubeconfig}",
            f"--cache-dir={layout.temporary / 'kubectl'}",
        ),
        *("apply", "--server-side", "--force-conflicts", "--field-manager=sandbox", "--validate=false"),
        f"--filename={layout.etc / 'cluster.yaml'}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SandboxError(f"Creating the cluster's own objects failed: {done.stderr.strip()}")


def down(sandbox: Sandbox) -> None:
    """End everything and leave the machine as it was; the data stays."""
    check_machine()
    record.refuse_foreign(record.read(), sandbox.layout.root)
    with _exclusive(sandbox.layout), step("Stopping the sandbox") as stopping:
        if not record.read():
            stopping.skip("it was not running")
        launch.stop()


def reset(sandbox: Sandbox) -> None:
    """`down`, and delete the data. The cache stays."""
    down(sandbox)
    with step(f"Deleting {sandbox.layout.root}"):
        shutil.rmtree(sandbox.layout.root, ignore_errors=False)


@contextmanager
def _exclusive(layout: Layout) -> Iterator[None]:
    """One `up`, `down` or `reset` at a time."""
    layout.root.mkdir(parents=True, exist_ok=True, mode=0o700)
    with layout.lock.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with step(f"Waiting for another command that works on {layout.root}"):
                fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def toolchain_bin(sandbox: Sandbox) -> Path:
    """The programs the sandbox was started with, without building any."""
    return (sandbox.layout.etc / "toolchain").resolve()
