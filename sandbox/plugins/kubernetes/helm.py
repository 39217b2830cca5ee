"""The helm binary: its arguments (pure), and running it so that it can be cancelled and leaks nothing.

Values go to its standard input, never to the command line, where every user of the machine could read them.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sandbox.plugins.provider import Cancellation, CancelledError, Properties, ProviderError

DEFAULT_TIMEOUT: Final = 300
_POLL: Final = 0.1
# Inputs that are flags of the same meaning, by operation.
_CHART_FLAGS: Final = {"devel": "--devel", "verify": "--verify"}
_COMMON_FLAGS: Final = {
    "atomic": "--atomic",
    "disableOpenapiValidation": "--disable-openapi-validation",
    "renderSubchartNotes": "--render-subchart-notes",
    "skipCrds": "--skip-crds",
    "takeOwnership": "--take-ownership",
}
_INSTALL_FLAGS: Final = {
    "createNamespace": "--create-namespace",
    "disableWebhooks": "--no-hooks",
    "replace": "--replace",
}
_UPGRADE_FLAGS: Final = {
    "cleanupOnFail": "--cleanup-on-fail",
    # Not a slip: the official plugin reads `disableWebhooks` on install and `disableCRDHooks` on upgrade.
    "disableCRDHooks": "--no-hooks",
    "forceUpdate": "--force",
    "resetValues": "--reset-values",
    "reuseValues": "--reuse-values",
}


class HelmError(ProviderError):
    """Helm failed; the message is its own last words."""


def release_not_found(error: HelmError) -> bool:
    """Whether helm failed because the release does not exist."""
    return "release: not found" in str(error)


def chart_arguments(inputs: Properties) -> list[str]:
    """Return the arguments that name the chart, for install, upgrade, lint and show."""
    arguments = [flag for key, flag in _CHART_FLAGS.items() if inputs.get(key)]
    options = inputs.get("repositoryOpts") or {}
    for key, flag in (
        ("repo", "--repo"),
        ("caFile", "--ca-file"),
        ("certFile", "--cert-file"),
        ("keyFile", "--key-file"),
    ):
        if options.get(key):
            arguments += [flag, str(options[key])]
    if inputs.get("verify") and inputs.get("keyring"):
        arguments += ["--keyring", str(inputs["keyring"])]
    return arguments


def _operation(inputs: Properties, flags: dict[str, str], *, local: bool) -> list[str]:
    arguments = ["--namespace", str(inputs["namespace"]), *chart_arguments(inputs)]
    if inputs.get("version") and not local:
        arguments += ["--version", str(inputs["version"])]
    arguments += [flag for key, flag in {**_COMMON_FLAGS, **flags}.items() if inputs.get(key)]
    if not inputs.get("skipAwait"):
        arguments.append("--wait")
        if inputs.get("waitForJobs"):
            arguments.append("--wait-for-jobs")
    arguments += ["--timeout", f"{timeout_of(inputs)}s"]
    for key, flag in (("description", "--description"), ("postrender", "--post-renderer")):
        if inputs.get(key):
            arguments += [flag, str(inputs[key])]
    return [*arguments, "--values", "-"]


def timeout_of(inputs: Properties) -> int:
    """Return the seconds helm may take; 0 and absent mean the default."""
    return int(inputs.get("timeout") or DEFAULT_TIMEOUT)


def install_arguments(inputs: Properties, *, local: bool) -> list[str]:
    """Return the command line of an install."""
    return ["install", str(inputs["name"]), str(inputs["chart"]), *_operation(inputs, _INSTALL_FLAGS, local=local)]


def upgrade_arguments(inputs: Properties, *, local: bool) -> list[str]:
    """Return the command line of an upgrade; unset, the history is unlimited, as with the official plugin."""
    history = ["--history-max", str(int(inputs.get("maxHistory") or 0))]
    arguments = _operation(inputs, _UPGRADE_FLAGS, local=local)
    return ["upgrade", str(inputs["name"]), str(inputs["chart"]), *history, *arguments]


def uninstall_arguments(inputs: Properties) -> list[str]:
    """Return the command line of an uninstall."""
    arguments = ["uninstall", str(inputs["name"]), "--namespace", str(inputs["namespace"])]
    if inputs.get("atomic") or not inputs.get("skipAwait"):
        arguments += ["--wait", "--timeout", f"{timeout_of(inputs)}s"]
    return arguments


@dataclass(frozen=True)
class Helm:
    """Runs helm against one cluster."""

    connection_arguments: Sequence[str]
    cancellation: Cancellation

    def run(self, arguments: Sequence[str], values: Properties | None = None) -> str:
        """Run helm and return what it prints; raise its error message."""
        self.cancellation.check(f"helm {arguments[0]}")
        binary = shutil.which("helm")
        if binary is None:
            raise ProviderError("The `helm` program is not on PATH; the offline kubernetes plugin needs it.")
        # If this process is killed, helm must not go on alone: it gets the one signal that makes it stop in order.
        guard = [setpriv, "--pdeathsig", "TERM"] if (setpriv := shutil.which("setpriv")) else []
        child = subprocess.Popen(
            [*guard, binary, *arguments, *self.connection_arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        finished = threading.Event()
        watcher = threading.Thread(target=self._cancel, args=(child, finished), daemon=True)
        watcher.start()
        try:
            output, errors = child.communicate(None if values is None else json.dumps(values))
        finally:
            finished.set()
        if child.returncode == 0:
            return output
        message = _last_words(errors) or f"helm {arguments[0]} ended with status {child.returncode}"
        if self.cancellation.cancelled:
            raise CancelledHelmError(message)
        raise HelmError(message)

    def _cancel(self, child: subprocess.Popen[str], finished: threading.Event) -> None:
        """Send one SIGTERM when the user cancels: helm then marks the release as failed. A second would kill it."""
        while not finished.wait(_POLL):
            if self.cancellation.cancelled:
                child.terminate()
                return

    def json(self, arguments: Sequence[str], values: Properties | None = None) -> Any:
        """Run helm and decode what it prints."""
        return json.loads(self.run([*arguments, "--output", "json"], values))


class CancelledHelmError(HelmError, CancelledError):
    """Helm stopped because the user cancelled."""


def _last_words(errors: str) -> str:
    lines = [
        line for line in errors.splitlines() if line.strip() and not line.startswith(("WARNING", "I0", "W0", "E0"))
    ]
    start = next((index for index, line in enumerate(lines) if line.startswith("Error: ")), max(0, len(lines) - 5))
    return "\n".join(lines[start:]).removeprefix("Error: ")
