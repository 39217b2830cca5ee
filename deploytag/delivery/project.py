"""What a checkout says of itself: settings, policy, and what of `Pulumi.yaml` decides where images go."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict

from deploytag.errors import DeployTagError, SettingsError
from deploytag.identity import PULUMI_FILE
from deploytag.settings import SETTINGS_FILE, ApplicationSettings, Settings
from deploytag.trust import InForce, in_force
from deploytag.yamlmodel import Complaints, read_model

Wanted = TypeVar("Wanted")


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Options(_Model):
    toolchain: str = "pip"
    virtualenv: str | None = None


class _Runtime(_Model):
    name: str
    options: _Options = _Options()


class PulumiProject(_Model):
    """The part of `Pulumi.yaml` that matters here."""

    name: str
    runtime: _Runtime | str
    config: dict[str, Any] = {}
    stackConfigDir: str = "."  # noqa: N815 - as Pulumi spells it

    @classmethod
    def load(cls, root: Path) -> Self:
        """The file in `root`.

        Raises:
            SettingsError: it is not there, or cannot be used.
        """
        project = read_model(root / PULUMI_FILE, cls)
        if isinstance(project, Complaints):
            raise SettingsError("; ".join(project))
        return project

    @property
    def options(self) -> _Options:
        """How the program's Python is found."""
        return self.runtime.options if isinstance(self.runtime, _Runtime) else _Options()

    def default(self, key: str) -> str | None:
        """The value that a stack without one of its own gets; an empty one is none."""
        declared = self.config.get(key)
        if isinstance(declared, dict):
            declared = declared.get("value", declared.get("default"))
        return str(declared) if declared not in (None, "") else None


@dataclass(frozen=True, slots=True)
class Project:
    """One checkout, as far as it can be read."""

    root: Path
    pulumi: PulumiProject | DeployTagError
    application: ApplicationSettings | DeployTagError
    trusted: InForce | DeployTagError

    @classmethod
    def read(cls, root: Path, environ: Mapping[str, str]) -> Self:
        """Read everything. What cannot be read is kept as its error, so that checks which do not need it go on."""
        return cls(
            root,
            _or_error(lambda: PulumiProject.load(root)),
            _or_error(lambda: ApplicationSettings.load(root)),
            _or_error(lambda: in_force(root, environ)),
        )

    def need_pulumi(self) -> PulumiProject:
        """What `Pulumi.yaml` says.

        Raises:
            SettingsError: it cannot be used.
        """
        return _or_raise(self.pulumi, PULUMI_FILE)

    def need_application(self) -> ApplicationSettings:
        """What `deploytag.yaml` says.

        Raises:
            SettingsError: it cannot be used.
        """
        return _or_raise(self.application, SETTINGS_FILE)

    def need_trusted(self) -> InForce:
        """The policy in force.

        Raises:
            SettingsError: there is none that can be used.
        """
        return _or_raise(self.trusted, "the policy")

    def need_settings(self) -> Settings:
        """Settings and policy.

        Raises:
            SettingsError: they cannot be used.
        """
        return Settings(self.need_application(), self.need_trusted().policy)


def _or_error(read: Callable[[], Wanted]) -> Wanted | DeployTagError:
    try:
        return read()
    except DeployTagError as error:
        return error


def _or_raise(value: Wanted | DeployTagError, what: str) -> Wanted:
    if isinstance(value, DeployTagError):
        raise SettingsError(f"not looked at, because {what} cannot be used (see the line of the checkout).")
    return value
