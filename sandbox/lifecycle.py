"""`up`, `down` and `reset`, from top to bottom."""

import subprocess
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from sandbox import config as configuration
from sandbox import (
    configure,
    directory,
    git_remote,
    images,
    launch,
    locks,
    machine,
    network,
    packages,
    paths,
    record,
    toolchain,
)
from sandbox.config import Config
from sandbox.errors import SandboxError
from sandbox.layout import Layout
from sandbox.plugins.install import PluginStatus, install
from sandbox.probes import Probes
from sandbox.progress import duration, step
from sandbox.services import parts
from sandbox.starting import start_all, unready


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


def up(sandbox: Sandbox, plugin_choice: str | None = None) -> list[PluginStatus]:
    """Make everything run and answer; quick when it does already."""
    machine.check()
    sandbox.layout.check()
    _refuse_others(sandbox)
    resolv_conf = configure.resolv_conf()
    # What cannot work is said before the long builds.
    if not sandbox.running:
        machine.check_kernel()
    packages.ensure()
    if not sandbox.running:
        _refuse_conflicts(sandbox)
    programs = toolchain.ensure()
    images.prepare()
    with locks.machine():
        _refuse_others(sandbox)
        mark = configure.fingerprint(sandbox.config, sandbox.layout, programs, resolv_conf)
        probes = Probes(sandbox.config, sandbox.layout, programs)
        everything = parts(sandbox.config, sandbox.layout, programs)
        current = record.alive(sandbox.layout.root)
        if current and (reason := _out_of_date(sandbox, current, mark)):
            with step(f"Stopping the sandbox, because {reason}"):
                launch.stop()
            current = None
        if not current:
            _start(sandbox, programs, resolv_conf, mark)
        # An `up` may have been interrupted anywhere: only what it wrote down at its end is certain.
        filled = current is not None and current.filled
        if not filled or unready(everything, sandbox.layout, probes):
            with step(f"Starting {len(everything)} parts", usual="10 s") as starting:
                then = {"apiserver": partial(_apply_objects, sandbox, programs)}
                seconds = start_all(everything, sandbox.layout, probes, then)
                slow = sorted(seconds.items(), key=lambda item: item[1])[-3:]
                starting.outcome = "all answer (last: " + ", ".join(f"{name} {duration(at)}" for name, at in slow) + ")"
        _fill(sandbox, filled=filled)
        git_remote.ensure(sandbox.layout)
        git_remote.ensure_default_branch(sandbox.layout)
        # Debian's images are served here as docker.io's, and a `FROM` tag is to be looked up where builds take it from.
        mirror = {"DEPLOYTAG_DOCKER_MIRROR": f"http://{sandbox.config.registry}"}
        return install(plugin_choice, sandbox.layout.pulumi_home, programs, environment=mirror)


def _refuse_others(sandbox: Sandbox) -> None:
    """Another directory's sandbox, and a directory that is not a sandbox's."""
    record.refuse_foreign(record.read(), sandbox.layout.root)
    directory.refuse_foreign(sandbox.layout)


def _refuse_conflicts(sandbox: Sandbox) -> None:
    servers = configure.nameservers(configure.resolv_conf())
    if problems := network.conflicts(sandbox.config, network.routes(), servers):
        where = f"{configuration.config_file(sandbox.layout.root)} or {configuration.PREFIX}<KEY>"
        raise SandboxError("\n".join([*problems, f"Choose another subnet in {where}."]))


def _out_of_date(sandbox: Sandbox, current: record.Record, mark: str) -> str | None:
    """Why what runs cannot be kept."""
    if current.fingerprint != mark:
        return "its configuration or code changed"
    if gone := current.homeless:
        return f"{gone}, which its programs are started with, is gone"
    return None if network.attached(sandbox.config) else "its network connection was taken away"


def _start(sandbox: Sandbox, programs: Path, resolv_conf: str, mark: str) -> None:
    with step("Making the sandbox's namespaces and network"):
        # What a killed sandbox or an interrupted start left.
        launch.stop()
        _refuse_conflicts(sandbox)
        generated = configure.files(sandbox.config, sandbox.layout, programs, resolv_conf)
        configure.write(sandbox.config, sandbox.layout, generated)
        link = sandbox.layout.etc / "toolchain"
        link.unlink(missing_ok=True)
        link.symlink_to(programs)
        launch.start(sandbox.config, sandbox.layout, paths.cache(), mark)


def _fill(sandbox: Sandbox, *, filled: bool) -> None:
    """What the services hold from the start."""
    if not filled:
        with step("Seeding the secrets"):
            from sandbox import aws  # noqa: PLC0415 - boto3 takes half a second

            aws.seed(sandbox.config)
    images.publish(sandbox.config.registry, sandbox.layout.buildkit_host)
    if not filled and (current := record.read()):
        record.write(replace(current, filled=True))


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
        # As an administrator applies it to a cluster of their own.
        f"--filename={configure.RIGHTS}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SandboxError(f"Creating the cluster's own objects failed: {done.stderr.strip()}")


def down(sandbox: Sandbox) -> None:
    """End everything and leave the machine as it was; the data stays."""
    machine.check()
    with locks.machine():
        _stop(sandbox)


def reset(sandbox: Sandbox) -> None:
    """`down`, and delete the data. The cache stays."""
    machine.check()
    with locks.machine():
        directory.refuse_foreign(sandbox.layout)
        _stop(sandbox)
        with step(f"Deleting {sandbox.layout.root}") as deleting:
            if sandbox.layout.root.exists():
                directory.delete(sandbox.layout)
            else:
                deleting.skip("there is none")


def _stop(sandbox: Sandbox) -> None:
    record.refuse_foreign(record.read(), sandbox.layout.root)
    with step("Stopping the sandbox") as stopping:
        if not record.read():
            stopping.skip("it was not running")
        launch.stop()


def toolchain_bin(sandbox: Sandbox) -> Path:
    """The programs the sandbox was started with, without building any."""
    return (sandbox.layout.etc / "toolchain").resolve()
