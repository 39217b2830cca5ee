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
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from sandbox.errors import SandboxError
from sandbox.files import exclusive, staged
from sandbox.plugins import official
from sandbox.plugins.folder import PluginFolder
from sandbox.plugins.launcher import launcher_script
from sandbox.progress import step

NAMES = ("kubernetes", "postgresql", "aws", "docker", "docker-build")
CHOICE_VARIABLE = "DEPLOYTAG_PLUGINS"
AUTOMATIC = "auto"

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

    `choice` is "official", "offline", "auto" or a folder; None asks DEPLOYTAG_PLUGINS, and without that is as "auto",
    which takes the official plugins where they can be fetched; said outright, "auto" does not rely on what was found
    out before. `environment` holds variables that offline plugins find set unless the caller of Pulumi sets them
    otherwise.
    """
    chosen = choice or os.environ.get(CHOICE_VARIABLE) or AUTOMATIC
    with exclusive(pulumi_home / "plugins"):
        home = _Home(pulumi_home, toolchain_bin, sdk_versions(), environment or {})
        if chosen == AUTOMATIC:
            chosen = home.automatic_choice(ask_again=choice == AUTOMATIC)
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
            with step(f"Fetching the official plugin {name} {self.versions[name]}", usual="half a minute"):
                problem = self._fetch(name, official.FETCH_SECONDS)
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
            with self._new(name) as directory:
                found.copy_to(directory)
        return self._installed(name, "folder", fingerprint)

    def _offline(self, name: str, remark: str) -> PluginStatus:
        launcher = launcher_script(name, self.environment)
        if not self._is_current(name, "offline", launcher):
            with self._new(name) as directory:
                executable = directory / self._executable(name).name
                executable.write_text(launcher)
                executable.chmod(0o755)
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
            with self._new(name) as directory:
                (directory / binary.name).symlink_to(binary.absolute())
        return self._installed(name, "built", str(binary), remark)

    # --- choosing by itself ---

    def automatic_choice(self, *, ask_again: bool) -> Literal["official", "offline"]:
        """Official plugins where they can be fetched. Remembered, since finding out takes time."""
        wanted = self.versions["kubernetes"]
        if self._is_current("kubernetes", "official", ""):
            return "official"
        remembered = official.Answer.from_record(self.record.get("automatic", {}))
        if remembered and not ask_again and remembered.stands(wanted, datetime.now(UTC)):
            return remembered.choice
        with step("Trying to fetch the official plugins", usual=f"at most {official.PROBE_SECONDS} s") as trying:
            answer = official.Answer.now(wanted, self._fetch("kubernetes", official.PROBE_SECONDS))
            trying.outcome = "cannot be had here" if answer.problem else "works"
        self._remember("automatic", answer.to_record())
        if answer.problem:
            print(
                f"plugins: the official ones cannot be fetched here ({answer.problem}), so the offline ones are used; "
                "tried again in a day, or now by `--plugins auto`"
            )
        else:
            self._installed("kubernetes", "official", "")
        return answer.choice

    def _fetch(self, name: str, seconds: int) -> str | None:
        """Fetch an official plugin; returns what went wrong."""
        pulumi = self.toolchain_bin / "pulumi"
        return official.fetch(pulumi, name, self.versions[name], self._directory(name), seconds)

    # --- the record ---

    def _is_current(self, name: str, source: Source, fingerprint: str) -> bool:
        wanted = {"version": self.versions[name], "source": source, "fingerprint": fingerprint}
        return self.record.get(name) == wanted and self._executable(name).exists()

    @contextmanager
    def _new(self, name: str) -> Iterator[Path]:
        """A folder to fill; whole, it takes the place of what is installed under this name and version."""
        directory = self._directory(name)
        self._remember(name, None)
        # The engine's leftovers of a broken install make it believe that one is going on.
        for suffix in (".partial", ".lock"):
            directory.with_name(directory.name + suffix).unlink(missing_ok=True)
        with staged(directory) as folder:
            yield folder

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
