"""What a machine has to be and to allow, found out before anything is built."""

import os
import platform
import subprocess

from sandbox.errors import OWN_CLUSTER, SandboxError

# As the sandbox's own start does it, on a /tmp that only this command sees.
_TRIAL = """
mount -t tmpfs deploytag-trial /tmp
cd /tmp
mkdir lower upper work merged
mount -t overlay deploytag-trial -o lowerdir=lower,upperdir=upper,workdir=work merged
"""


def check() -> None:
    """Say in one sentence what this machine is not."""
    if platform.system() != "Linux":
        raise SandboxError(f"The sandbox needs Linux; this is {platform.system()}. {OWN_CLUSTER}")
    if os.geteuid() != 0:
        raise SandboxError(f"The sandbox needs root: it makes network namespaces and runs containers. {OWN_CLUSTER}")


def check_kernel() -> None:
    """Say in one sentence what this machine's kernel, or the container we are in, does not allow."""
    namespaces = ["unshare", "--net", "--mount", "--pid", "--ipc", "--cgroup", "--fork"]
    for command, what in (
        ([*namespaces, "true"], "make namespaces of every kind (a container has to be a privileged one)"),
        ([*namespaces, "/bin/sh", "-ec", _TRIAL], "mount tmpfs and overlay file systems"),
    ):
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        except FileNotFoundError as error:
            raise SandboxError(f"The sandbox needs the program {command[0]}, of Debian's util-linux.") from error
        if done.returncode:
            said = (done.stderr.strip().splitlines() or ["it gave no reason"])[-1]
            raise SandboxError(f"The sandbox has to {what}, which this machine does not allow: {said}. {OWN_CLUSTER}")
