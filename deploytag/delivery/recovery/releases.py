"""Bringing a stuck Helm release to a state from which Helm goes on, with the real helm."""

from deploytag.api import JOBS
from deploytag.delivery.diagnosis.listing import listed
from deploytag.delivery.diagnosis.objects import Job
from deploytag.delivery.recovery import objects
from deploytag.delivery.recovery.tools import Tools
from deploytag.errors import DeploymentError

PATIENCE = 120
"""Seconds Helm may take to take away a release's objects."""


def uninstall(tools: Tools, namespace: str, release: str) -> None:
    """Uninstall it. No hooks: one of them may be why it is stuck, and what follows installs it anew."""
    _helm(tools, "uninstall", release, namespace, "--ignore-not-found", "--no-hooks", "--wait")
    _end_hooks(tools, namespace)


def roll_back(tools: Tools, namespace: str, release: str, revision: int) -> None:
    """Roll it back to a revision, without waiting for its pods: what follows upgrades it."""
    _end_hooks(tools, namespace)
    _helm(tools, "rollback", release, namespace, str(revision), "--no-hooks")


def _helm(tools: Tools, verb: str, release: str, namespace: str, *arguments: str) -> None:
    command = ["helm", verb, release, *arguments, "--namespace", namespace, "--timeout", f"{PATIENCE}s"]
    done = tools.commands.run(command, cwd=tools.repository, timeout=PATIENCE + 30)
    if done.code:
        words = " ".join(done.output.split()).removeprefix("Error: ")
        raise DeploymentError(
            f"the Helm release {release} in {namespace} is stuck, and `helm {verb}` could not change that: {words}"
        )


def _end_hooks(tools: Tools, namespace: str) -> None:
    """End hook Jobs that still run, with their pods: Helm leaves them, and two migrations must not run at a time."""
    cluster = tools.cluster
    running = [job.name for job in listed(cluster, Job, JOBS, namespace) if job.hook and not job.ended]
    for name in running:
        tools.lease.check()
        # Foreground: the Job is not gone before its pods are.
        cluster.api.delete(JOBS, name, namespace, foreground=True, timeout=objects.TIMEOUT)
        if not objects.await_gone(cluster, JOBS, name, namespace, patience=PATIENCE):
            raise DeploymentError(
                f"the hook job {name} of an interrupted run in {namespace} still runs {PATIENCE} s after it was "
                "deleted; look at its pods: `kubectl get pods` says where they are."
            )
