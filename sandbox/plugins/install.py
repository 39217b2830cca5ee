"""Which Pulumi provider plugins the sandbox runs, and how they get into its PULUMI_HOME.

Four kinds of provider are in the program's dependencies; each needs a plugin beside its SDK. A plugin is one of

- official: fetched by `pulumi plugin install`, where the network allows it;
- offline: the small providers of this package, which talk to the same services;
- folder: files somebody else fetched and put into a folder;
- built: docker-build, which is open Go source and part of the sandbox's toolchain.

Every plugin's origin is printed, because a result is only worth something together with its plugin set.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from sandbox.errors import SandboxError
from sandbox.plugins.folder import PluginFolder
from sandbox.plugins.launcher import launcher_script

NAMES = ("kubernetes", "postgresql", "aws", "docker", "docker-build")
CHOICE_VARIABLE = "DEPLOYTAG_PLUGINS"

# Long enough to fetch one plugin from a working network, short enough to wait for once where there is none.
PROBE_SECONDS = 15
FETCH_SECONDS = 600

Source = Literal["official", "offline", "folder", "built"]


@dataclass(frozen=True)
class PluginStatus:
    """One installed plugin: where it comes from and the directory the engine finds it in."""

    name: str
    version: str
    source: Source
    path: Path
    remark: str = ""

    def __str__(self) -> str:
        """As it is printed: `kubernetes 4.34.2 offline`."""
        return f"{self.name} {self.version} {self.source}" + (f" ({self.remark})" if self.remark else "")


def install(
    choice: str | None, pulumi_home: Path, toolchain_bin: Path, environment: Mapping[str, str] | None = None
) -> list[PluginStatus]:
    """Install the chosen plugins and print one line that says which.

    `choice` is "official", "offline" or a folder; None asks DEPLOYTAG_PLUGINS, and without that takes the official
    plugins where they can be fetched. `environment` holds variables that offline plugins find set unless the caller
    of Pulumi sets them otherwise.
    """
    home = _Home(pulumi_home, toolchain_bin, sdk_versions(), environment or {})
    chosen = choice or os.environ.get(CHOICE_VARIABLE) or home.automatic_choice()
    match chosen:
        case "official":
            statuses = [home.official(name) for name in NAMES]
        case "offline":
            statuses = [home.without_network(name) for name in NAMES]
        case _:
            folder = PluginFolder.open(Path(chosen), home.versions)
            statuses = [home.from_folder(folder, name) for name in NAMES]
    print(summary(statuses))
    return statuses


def summary(statuses: list[PluginStatus]) -> str:
    """The line that names every plugin, its version and its source."""
    return "plugins: " + ", ".join(str(status) for status in statuses)


def sdk_versions() -> dict[str, str]:
    """The version of each plugin: that of the SDK package which the program imports, since the engine asks for it."""
    try:
        return {name: version(f"pulumi-{name}") for name in NAMES}
    except PackageNotFoundError as missing:
        raise SandboxError(
            f"The Python package {missing.name} is not installed beside {sys.executable}, so the version of its plugin "
            "is unknown. Install the locked dependencies with `uv sync`."
        ) from None


@dataclass
class _Home:
    """A PULUMI_HOME and the record of what was put into it, by which a second run knows that nothing is to be done."""

    root: Path
    toolchain_bin: Path
    versions: dict[str, str]
    environment: Mapping[str, str]
    record: dict[str, dict[str, str]] = field(init=False)

    def __post_init__(self) -> None:
        try:
            self.record = json.loads(self._record_file.read_text())
        except (FileNotFoundError, ValueError):
            self.record = {}

    @property
    def _record_file(self) -> Path:
        return self.root / "deploytag-plugins.json"

    def _directory(self, name: str) -> Path:
        return self.root / "plugins" / f"resource-{name}-v{self.versions[name]}"

    def _executable(self, name: str) -> Path:
        return self._directory(name) / f"pulumi-resource-{name}"

    # --- the three ways to get a plugin ---

    def official(self, name: str) -> PluginStatus:
        """Fetch a plugin with the engine's own command."""
        if not self._is_current(name, "official", ""):
            self._clear(name)
            problem = self._fetch(name, FETCH_SECONDS)
            if problem:
                raise SandboxError(
                    f"The official plugin {name} {self.versions[name]} cannot be fetched: {problem}. "
                    "Choose `--plugins offline`, or a folder that holds the plugins."
                )
        return self._installed(name, "official", "")

    def without_network(self, name: str, remark: str = "") -> PluginStatus:
        """Install what needs no network: our own provider, or the built one of docker-build."""
        return self._built(name, remark) if name == "docker-build" else self._offline(name, remark)

    def from_folder(self, folder: PluginFolder, name: str) -> PluginStatus:
        """Copy a plugin from the folder; one that is missing there is installed without network, and that is said."""
        found = folder.find(name)
        if found is None:
            return self.without_network(name, folder.why_not(name))
        fingerprint = found.fingerprint()
        if not self._is_current(name, "folder", fingerprint):
            found.copy_to(self._clear(name))
        return self._installed(name, "folder", fingerprint)

    def _offline(self, name: str, remark: str) -> PluginStatus:
        launcher = launcher_script(name, self.environment)
        if not self._is_current(name, "offline", launcher):
            self._clear(name).mkdir(parents=True)
            self._executable(name).write_text(launcher)
            self._executable(name).chmod(0o755)
        return self._installed(name, "offline", launcher, remark)

    def _built(self, name: str, remark: str) -> PluginStatus:
        # Beside `bin`, not in it: from PATH the engine would take it with a warning on every run.
        binary = self.toolchain_bin.parent / "plugins" / f"pulumi-resource-{name}"
        if not binary.is_file():
            raise SandboxError(
                f"The plugin {name} is not in the toolchain: {binary} does not exist. `python -m sandbox up` builds it."
            )
        # A link: the binary is large, and the toolchain's directory is its place.
        if not self._is_current(name, "built", str(binary)):
            self._clear(name).mkdir(parents=True)
            self._executable(name).symlink_to(binary.absolute())
        return self._installed(name, "built", str(binary), remark)

    # --- choosing by itself ---

    def automatic_choice(self) -> Literal["official", "offline"]:
        """Official plugins where they can be fetched. Found out once and remembered, since finding out takes time."""
        asked_for = {"kubernetes": self.versions["kubernetes"]}
        remembered = self.record.get("automatic", {})
        answer = remembered.get("answer")
        if answer in ("official", "offline") and remembered.get("kubernetes") == asked_for["kubernetes"]:
            return "official" if answer == "official" else "offline"
        if self._is_current("kubernetes", "official", ""):
            return "official"
        self._clear("kubernetes")
        problem = self._fetch("kubernetes", PROBE_SECONDS)
        if problem:
            print(f"plugins: the official ones cannot be fetched here ({problem}), so the offline ones are used")
        self._remember("automatic", asked_for | {"answer": "offline" if problem else "official"})
        return "offline" if problem else "official"

    def _fetch(self, name: str, seconds: int) -> str | None:
        """Fetch an official plugin; returns what went wrong."""
        command = [str(self.toolchain_bin / "pulumi"), "plugin", "install", "resource", name, self.versions[name]]
        environment = os.environ | {"PULUMI_HOME": str(self.root), "PULUMI_SKIP_UPDATE_CHECK": "true"}
        try:
            done = subprocess.run(
                command,
                env=environment,
                timeout=seconds,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"`pulumi plugin install` gave no answer within {seconds} s"
        except OSError as error:
            return f"{command[0]} cannot be run: {error.strerror}"
        if done.returncode == 0 and self._executable(name).exists():
            return None
        complaint = [line for line in done.stderr.splitlines() if line.strip()] or ["it gave no reason"]
        return f"`pulumi plugin install` failed: {complaint[-1].strip()}"

    # --- the record ---

    def _is_current(self, name: str, source: Source, fingerprint: str) -> bool:
        wanted = {"version": self.versions[name], "source": source, "fingerprint": fingerprint}
        return self.record.get(name) == wanted and self._executable(name).exists()

    def _clear(self, name: str) -> Path:
        """Take away what is installed under this name and version, with the engine's leftovers of a broken install."""
        directory = self._directory(name)
        self._remember(name, None)
        shutil.rmtree(directory, ignore_errors=True)
        for suffix in (".partial", ".lock"):
            directory.with_name(directory.name + suffix).unlink(missing_ok=True)
        return directory

    def _installed(self, name: str, source: Source, fingerprint: str, remark: str = "") -> PluginStatus:
        if not self._is_current(name, source, fingerprint):
            self._remember(name, {"version": self.versions[name], "source": source, "fingerprint": fingerprint})
        return PluginStatus(name, self.versions[name], source, self._directory(name), remark)

    def _remember(self, key: str, value: dict[str, str] | None) -> None:
        if self.record.get(key) == value:
            return
        self.record.pop(key, None)
        if value is not None:
            self.record[key] = value
        self.root.mkdir(parents=True, exist_ok=True)
        # Written aside and renamed: an interrupted write must not leave half a record.
        draft = self._record_file.with_suffix(".tmp")
        draft.write_text(json.dumps(self.record, indent=2))
        draft.replace(self._record_file)
