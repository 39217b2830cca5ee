"""A folder of plugin files that somebody fetched elsewhere, in any of the forms in which plugins are passed around.

- `pulumi-resource-NAME`, the bare binary: taken for the version that is wanted;
- `resource-NAME-vVERSION/`, as in a PULUMI_HOME, or `plugins/resource-NAME-vVERSION/`: a whole one;
- `pulumi-resource-NAME-vVERSION-OS-ARCH.tar.gz`, as released.
"""

import platform
import re
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path

from sandbox.errors import SandboxError

_VERSIONED = re.compile(r"(?:pulumi-)?resource-(?P<name>[a-z-]+)-v(?P<version>\d[^-/]*)(?:-(?P<platform>\w+-\w+))?")


@dataclass(frozen=True)
class FoundPlugin:
    """One plugin in the folder."""

    name: str
    path: Path

    def fingerprint(self) -> str:
        """Changes when the file does, so that a newer one is copied again."""
        state = self.path.stat()
        return f"{self.path} {state.st_size} {state.st_mtime_ns}"

    def copy_to(self, directory: Path) -> None:
        """Fill the empty `directory` with the plugin; the folder may go away afterwards."""
        if self.path.is_dir():
            shutil.copytree(self.path, directory, dirs_exist_ok=True)
        elif self.path.suffixes[-2:] == [".tar", ".gz"]:
            try:
                with tarfile.open(self.path) as archive:
                    archive.extractall(directory, filter="data")
            except (tarfile.TarError, EOFError) as error:
                raise SandboxError(f"{self.path} cannot be unpacked: {error}. Fetch it again.") from None
        else:
            shutil.copy2(self.path, directory)
        executable = directory / f"pulumi-resource-{self.name}"
        if not executable.is_file():
            raise SandboxError(f"{self.path} holds no file {executable.name}: it is not the plugin it is named after.")
        executable.chmod(executable.stat().st_mode | 0o111)


@dataclass(frozen=True)
class PluginFolder:
    """What a folder holds of the plugins that are wanted."""

    path: Path
    wanted: dict[str, str]
    found: dict[str, FoundPlugin]
    other_versions: dict[str, str]

    @classmethod
    def open(cls, path: Path, wanted: dict[str, str]) -> "PluginFolder":
        """Look through the folder; a choice that cannot be meant is an error, not an empty set."""
        path = path.expanduser().absolute()
        if not path.is_dir():
            raise SandboxError(
                f"There is no plugin folder {path}. Plugins are `official`, `offline`, `auto` or a folder with plugin "
                "files."
            )
        found: dict[str, FoundPlugin] = {}
        other_versions: dict[str, str] = {}
        for entry in [*sorted(path.iterdir()), *sorted(path.glob("plugins/*"))]:
            name, version = _identify(entry)
            if name not in wanted:
                continue
            if version in (None, wanted[name]):
                found.setdefault(name, FoundPlugin(name, entry))
            elif version is not None:
                other_versions[name] = version
        if not found and not other_versions:
            raise SandboxError(
                f"The plugin folder {path} holds no plugin. Put `pulumi-resource-NAME` executables, "
                "`resource-NAME-vVERSION` directories or released archives there, "
                f"of {', '.join(f'{name} {version}' for name, version in wanted.items())}."
            )
        return cls(path, wanted, found, other_versions)

    def find(self, name: str) -> FoundPlugin | None:
        """The plugin of that name in the wanted version."""
        return self.found.get(name)

    def why_not(self, name: str) -> str:
        """Say why a plugin that `find` does not find is not taken from here."""
        if name in self.other_versions:
            return f"{self.path} has only version {self.other_versions[name]}"
        return f"not in {self.path}"


def _identify(entry: Path) -> tuple[str | None, str | None]:
    """The plugin's name and version, as far as the entry's name tells them."""
    executable_prefix = "pulumi-resource-"
    if entry.is_file() and entry.name.endswith(".tar.gz"):
        match = _VERSIONED.fullmatch(entry.name.removesuffix(".tar.gz"))
        if match and match["platform"] == this_platform():
            return match["name"], match["version"]
    elif entry.is_dir():
        match = _VERSIONED.fullmatch(entry.name)
        if match and (entry / f"{executable_prefix}{match['name']}").is_file():
            return match["name"], match["version"]
    elif entry.is_file() and entry.name.startswith(executable_prefix):
        # Executable or not: what went through an archive or a store of artifacts has lost that.
        return entry.name.removeprefix(executable_prefix), None
    return None, None


def this_platform() -> str:
    """This machine, as plugin releases name it."""
    machine = platform.machine().lower()
    return f"{platform.system().lower()}-{ {'x86_64': 'amd64', 'aarch64': 'arm64'}.get(machine, machine) }"
