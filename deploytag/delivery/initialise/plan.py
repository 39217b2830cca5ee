"""What of the files is written, what is kept and what stands in the way. Pure but for looking at the repository."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from deploytag.delivery.initialise.answers import Answers
from deploytag.delivery.initialise.render import File, files
from deploytag.errors import ContentError, SettingsError
from deploytag.identity import PULUMI_FILE
from deploytag.settings import POLICY_FILE, SETTINGS_FILE, Settings


@dataclass(frozen=True, slots=True)
class Plan:
    """What `deploytag init` does to a repository."""

    write: tuple[File, ...]
    keep: tuple[str, ...]
    """Files that are there, and stay as they are."""


def plan(root: Path, answers: Answers) -> Plan:
    """Decide about every file, and see that the whole can be used.

    Raises:
        ContentError: something that is there makes it impossible; all of it is named.
        SettingsError: the settings would not be valid.
    """
    skeleton = not (root / answers.chart / "Chart.yaml").exists()
    wanted = files(answers, skeleton=skeleton)
    conflicts = [sentence for file in wanted if (sentence := in_the_way(root, file.path))]
    conflicts += _foreign(root)
    if skeleton and (root / answers.chart).is_dir() and any((root / answers.chart).iterdir()):
        conflicts.append(
            f"{answers.chart} is there and is no chart (it has no Chart.yaml): name the chart's folder with --chart."
        )
    if conflicts:
        raise ContentError("\n  ".join(["nothing was written:", *conflicts]))
    present = {file.path for file in wanted if (root / file.path).exists()}
    write = tuple(file for file in wanted if file.path not in present)
    chart = [] if skeleton else [answers.chart]
    result = Plan(write, tuple(sorted([*map(str, present), *chart])))
    _check_settings(root, write, answers)
    return result


def in_the_way(root: Path, path: PurePosixPath) -> str | None:
    """Why the file can neither be written nor kept; None when it can."""
    for folder in reversed(path.parents[:-1]):
        here = root / folder
        if here.is_symlink() or (here.exists() and not here.is_dir()):
            return f"{folder} is no folder, and {path} belongs into it: move it."
    here = root / path
    if here.is_symlink() and not here.exists():
        return f"{path} is a link that leads nowhere: remove it."
    if here.exists() and not here.is_file():
        return f"{path} is a folder, and a file of that name is needed: move it."
    return None


def _foreign(root: Path) -> list[str]:
    """A program in the place of DeployTag's: Pulumi runs what is there, so it cannot be kept beside it."""
    program, project = root / "__main__.py", root / PULUMI_FILE
    if program.is_file():
        if "deploytag" in program.read_text(errors="replace"):
            return []
        return [
            "__main__.py is there and is not DeployTag's: Pulumi would run it. Move it into a package of its own "
            "(`python -m PACKAGE` runs it there)."
        ]
    if project.is_file():
        return [
            "Pulumi.yaml is there and belongs to another program: two cannot share a folder. Move yours into a folder "
            "of its own, such as infrastructure/."
        ]
    return []


def _check_settings(root: Path, write: Sequence[File], answers: Answers) -> None:
    """Load the settings as they will be, new or kept."""
    new = {str(file.path): file.text for file in write}
    with tempfile.TemporaryDirectory() as folder:
        for name in (SETTINGS_FILE, POLICY_FILE):
            text = new[name] if name in new else (root / name).read_text(errors="replace")
            (Path(folder) / name).write_text(text)
        settings = Settings.load(Path(folder))
    if POLICY_FILE in new:
        said = {
            (tuple(source.id for source in cls.secrets), cls.database_key) for cls in settings.policy.classes.values()
        }
        if said != {(answers.secrets, answers.database_key)}:
            raise SettingsError("--secret or --database-key holds characters that no secret's id can have.")
